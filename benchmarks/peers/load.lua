-- POST bodies in turn; from the environment: BENCH_BODIES (a file of length-prefixed bodies), BENCH_PATH, BENCH_TYPE, BENCH_TOKEN.
local requests, turn = {}, 0
function init(args)
  local headers = {["Content-Type"] = os.getenv("BENCH_TYPE"), ["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")}
  local file = assert(io.open(os.getenv("BENCH_BODIES"), "rb"))
  local all, at = file:read("*a"), 1
  file:close()
  while at <= #all do
    local a, b, c, d = string.byte(all, at, at + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    requests[#requests + 1] = wrk.format("POST", os.getenv("BENCH_PATH"), headers, string.sub(all, at + 4, at + 3 + length))
    at = at + 4 + length
  end
end
function request() turn = turn % #requests + 1; return requests[turn] end
function done(s, l)
  io.write(string.format('@@{"requests": %d, "seconds": %.6f, "p50_ms": %.4f, "p99_ms": %.4f, "failed": %d}\n',
    s.requests, s.duration / 1e6, l:percentile(50) / 1e3, l:percentile(99) / 1e3,
    s.errors.status + s.errors.connect + s.errors.read + s.errors.write + s.errors.timeout))
end
