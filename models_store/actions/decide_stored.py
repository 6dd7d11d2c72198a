"""Take up a stored request again: because somebody gave their word, because its time has come, or ran out."""

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils import timezone

from features.ground.errors import DomainError
from models_store.actions.decide import Decision, decide
from models_store.actions.evidence import gather_evidence
from models_store.actions.record_request import close_request
from models_store.core.policy import Policy, parse_policy
from models_store.errors import PromotionConflictError, RequestClosedError, RequestExpiredError
from models_store.models import ModelVersion, PromotionRequest, RegisteredModel

State = PromotionRequest.State
Word = Callable[[PromotionRequest, Policy], None]
"""Checks and stores what somebody says about a request, under the lock."""


def decide_stored(number: int, word: Word | None = None) -> Decision:
    """Decide on an open request again, on evidence gathered now.

    Parameters
    ----------
    number : int
        Of the promotion request.
    word : callable, optional
        Stores an approval before it is counted; raises what forbids it.

    Returns
    -------
    Decision
        With the error to raise, where the request has ended without being applied.

    Raises
    ------
    UnknownRequestError, RequestClosedError
        If there is no such open request.
    PromotionConflictError
        If a constraint of the database says that somebody else was first.
    """
    request = PromotionRequest.objects.numbered(number)
    check_open(request)
    gathered = gather_evidence(request.version)
    try:
        with transaction.atomic(durable=True):
            request, model, version = locked_request(number)
            if error := over(request, model.generation, gathered.generation):
                return _ended(request, model, error)
            policy = parse_policy(model.policy, model.task)
            if word:
                word(request, policy)
            return decide(request, model, version, gathered=gathered, policy=policy)
    except IntegrityError as error:
        raise PromotionConflictError(
            f"somebody else was first with request {number}: look at what is live now", request=number
        ) from error


def locked_request(number: int) -> tuple[PromotionRequest, RegisteredModel, ModelVersion]:
    """Lock the model's row and read an open request under it, inside the caller's transaction.

    Parameters
    ----------
    number : int
        Of the promotion request.

    Returns
    -------
    tuple of PromotionRequest, RegisteredModel and ModelVersion
        As they are under the lock.

    Raises
    ------
    UnknownRequestError, RequestClosedError
        If there is no such open request.
    """
    found = PromotionRequest.objects.numbered(number)
    # Every decision about a model's requests takes this lock first: two approvers may race for the last word.
    model = RegisteredModel.objects.select_for_update().get(pk=found.version.model_id)
    request = PromotionRequest.objects.numbered(number)
    check_open(request)
    return request, model, request.version


def check_open(request: PromotionRequest) -> None:
    """Refuse a request that has been decided on.

    Parameters
    ----------
    request : PromotionRequest
        Any.

    Raises
    ------
    RequestExpiredError
        If it had expired.
    RequestClosedError
        If it has ended in another way.
    """
    if request.state == State.EXPIRED:
        raise _expired(request)
    if request.state not in (State.WAITING, State.SCHEDULED):
        raise RequestClosedError(
            f"request {request.pk} is {request.state} already: nothing is left to decide",
            request=request.pk,
            state=str(request.state),
        )


def over(request: PromotionRequest, generation: int, gathered: int) -> DomainError | None:
    """Tell whether a request can't be applied any more, whatever anybody says.

    Parameters
    ----------
    request : PromotionRequest
        An open one, read under the lock.
    generation : int
        The model's, under the lock.
    gathered : int
        The model's when the evidence was gathered.

    Returns
    -------
    DomainError or None
        Why, if it has expired or what is live has changed since it was made.
    """
    if is_overdue(request):
        return _expired(request)
    if not request.expected_generation == generation == gathered:
        return PromotionConflictError(
            f"request {request.pk} is void: it was made for generation {request.expected_generation} of "
            f"{request.version.model.name}, it is {generation} now; look at what is live and ask again",
            expected_generation=request.expected_generation,
            generation=generation,
        )
    return None


def is_overdue(request: PromotionRequest) -> bool:
    """Tell whether the time of a request has run out.

    Parameters
    ----------
    request : PromotionRequest
        Any.

    Returns
    -------
    bool
        False for one without such a time.
    """
    return request.expires_at is not None and request.expires_at <= timezone.now()


def expire_overdue(model: RegisteredModel | None = None) -> list[int]:
    """End the open requests whose time has run out.

    Parameters
    ----------
    model : RegisteredModel, optional
        Only this model's.

    Returns
    -------
    list of int
        Numbers of the requests that have expired now.
    """
    found = PromotionRequest.objects.open().filter(expires_at__lte=timezone.now())
    if model is not None:
        found = found.filter(version__model=model)
    return [number for number in found.order_by("pk").values_list("pk", flat=True) if _expire(number)]


def _expire(number: int) -> bool:
    with transaction.atomic(durable=True):
        try:
            request, _, _ = locked_request(number)
        except DomainError:
            return False  # somebody decided on it in between
        close_request(request, State.EXPIRED, _expired(request))
    return True


def _ended(request: PromotionRequest, model: RegisteredModel, error: DomainError) -> Decision:
    state = State.EXPIRED if isinstance(error, RequestExpiredError) else State.VOID
    close_request(request, state, error)
    return Decision(request=request.pk, state=str(state), gates=[], generation=model.generation, error=error)


def _expired(request: PromotionRequest) -> RequestExpiredError:
    at = f"{request.expires_at:%Y-%m-%d %H:%M} UTC" if request.expires_at else "its time"
    return RequestExpiredError(f"request {request.pk} expired at {at}: ask again", request=request.pk)
