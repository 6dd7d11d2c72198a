#!/usr/bin/env bash
# Give each peer an environment of its own: setup.sh FOLDER [fastapi] [mlflow] [bentoml]; a Python of yours in PYTHON.
set -eu
folder=$1; shift
here=$(cd "$(dirname "$0")" && pwd)
declare -A packages=(
  [fastapi]="fastapi==0.165.0 uvicorn[standard] orjson onnxruntime==1.32.0 skl2onnx==1.20.0 protobuf<7 scikit-learn==1.9.1 joblib"
  [mlflow]="mlflow==3.17.2 scikit-learn joblib pandas"
  [bentoml]="bentoml>=1.4,<1.4.40 scikit-learn joblib"
)
[ $# -gt 0 ] || set -- fastapi mlflow bentoml
for name in "$@"; do
  venv=$folder/$name
  [ -e "$venv/.made" ] && continue
  "${PYTHON:-python3.11}" -m venv "$venv"
  # shellcheck disable=SC2086
  "$venv/bin/python" -m pip --disable-pip-version-check --quiet install ${packages[$name]}
  "$venv/bin/python" "$here/models.py" "$venv/models"
  touch "$venv/.made"
done
