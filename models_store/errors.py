"""Errors of the registry, artefacts, gates and promotion."""

from features.ground.errors import (
    ConflictError,
    DomainError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)


class ModelsStoreError(DomainError):
    """Base of this app's errors."""

    code = "models_store_error"


class BadSpecError(ModelsStoreError, InvalidInputError):
    """A text that should name a model or a version does not."""

    code = "bad_spec"


class UnknownModelError(ModelsStoreError, NotFoundError):
    """No model has this name."""

    code = "unknown_model"


class UnknownVersionError(ModelsStoreError, NotFoundError):
    """The model has no version of this number."""

    code = "unknown_version"


class NoProductionVersionError(ModelsStoreError, UnavailableError):
    """The model has no version in production."""

    code = "no_production_version"


class BadVersionError(ModelsStoreError, InvalidInputError):
    """What was handed in to be registered is not a version."""

    code = "bad_version"


class PolicyError(ModelsStoreError, InvalidInputError):
    """A promotion policy that can't be used."""

    code = "bad_policy"


class PolicyConflictError(ModelsStoreError, ConflictError):
    """Somebody else changed the policy after this one was written."""

    code = "policy_conflict"


class NoSigningKeyError(ModelsStoreError, UnavailableError):
    """This process holds no private key, so it can verify and not sign."""

    code = "no_signing_key"


class BadKeyError(ModelsStoreError, UnavailableError):
    """A configured key is no Ed25519 key."""

    code = "bad_key"


class ArtefactWriteError(ModelsStoreError, UnavailableError):
    """The artefact could not be written; nothing of it was left."""

    code = "artefact_not_written"


class ArtefactError(ModelsStoreError, RefusedError):
    """Base of the reasons not to trust an artefact."""

    code = "artefact_refused"


class ArtefactMissingError(ArtefactError):
    """The artefact's folder, or a file of it, is not there."""

    code = "artefact_missing"


class ArtefactCorruptError(ArtefactError):
    """The bytes are not those that were written."""

    code = "artefact_corrupt"


class ArtefactUnsignedError(ArtefactError):
    """The artefact has no signature."""

    code = "artefact_unsigned"


class ArtefactUntrustedError(ArtefactError):
    """The signature is by a key nobody here trusts, or does not fit the manifest."""

    code = "artefact_untrusted"


class ArtefactSwappedError(ArtefactError):
    """A sound artefact, of another model or version."""

    code = "artefact_swapped"


class ArtefactTooLargeError(ArtefactError):
    """The artefact is over the size limit."""

    code = "artefact_too_large"


class BundleRefusedError(ArtefactError):
    """A file that is not byte for byte a bundle this project wrote, or whose members are not those it lists."""

    code = "bundle_refused"


class VersionThereError(ModelsStoreError, RefusedError):
    """The registry holds a version of this number already."""

    code = "version_there"


class BadKeyFileError(ModelsStoreError, InvalidInputError):
    """A file of keys can't be read or written, or holds something else."""

    code = "bad_key_file"


class KeyKeptElsewhereError(ModelsStoreError, RefusedError):
    """The signing key is set by setting, so it is rotated where settings are kept."""

    code = "key_kept_elsewhere"


class NumberTakenError(ModelsStoreError, ConflictError):
    """Other registrations kept taking the next version number."""

    code = "version_number_taken"


class ModelFileTooLargeError(ModelsStoreError, TooLargeError):
    """A model file made elsewhere is over the size limit."""

    code = "model_file_too_large"


class ModelFileError(ModelsStoreError, InvalidInputError):
    """A model file made elsewhere can't be read, or its form is not one that can be served."""

    code = "bad_model_file"


class PickleRefusedError(ModelsStoreError, RefusedError):
    """A file whose opening runs code, without leave to open it."""

    code = "pickle_refused"


class ModelFileRefusedError(ModelsStoreError, RefusedError):
    """The child process refused to open the model file, or did not come back."""

    code = "model_file_refused"


class BadCardError(ModelsStoreError, InvalidInputError):
    """What was written for a model card can't be kept: its part, length or characters."""

    code = "bad_card"


class BadPromotionError(ModelsStoreError, InvalidInputError):
    """A promotion asked for in a form that can't be: its reason, stage or percent."""

    code = "bad_promotion"


class MoveNotAllowedError(ModelsStoreError, RefusedError):
    """The version can't go from its stage to the one asked for."""

    code = "move_not_allowed"


class AlreadyThereError(MoveNotAllowedError):
    """The version already holds the stage."""

    code = "already_there"


class GateFailedError(ModelsStoreError, RefusedError):
    """At least one gate said no."""

    code = "gate_failed"


class PromotionConflictError(ModelsStoreError, ConflictError):
    """The model changed after the evidence for this promotion was gathered."""

    code = "promotion_conflict"


class NothingToRollBackToError(ModelsStoreError, RefusedError):
    """No earlier production version is there to return to."""

    code = "nothing_to_roll_back_to"


class DrillRefusedError(ModelsStoreError, RefusedError):
    """A rollback can't be drilled now: nothing is in production, or an open request would be voided."""

    code = "drill_refused"


class DrillFailedError(ModelsStoreError, RefusedError):
    """A drilled rollback ended where it began, but not every request was answered rightly meanwhile."""

    code = "drill_failed"


class NotServedError(ModelsStoreError, UnavailableError):
    """The served model was asked and gave no answer."""

    code = "not_served"


class UnknownRequestError(ModelsStoreError, NotFoundError):
    """There is no promotion request of this number."""

    code = "unknown_request"


class AlreadyAskedError(ModelsStoreError, RefusedError):
    """An open request asks for the same version and stage."""

    code = "already_asked"


class RequestClosedError(ModelsStoreError, ConflictError):
    """The promotion request was decided before."""

    code = "request_closed"


class RequestExpiredError(ModelsStoreError, RefusedError):
    """The promotion request was not decided in time."""

    code = "request_expired"


class EvidenceChangedError(ModelsStoreError, RefusedError):
    """Metrics, gates, policy or artefact are no longer those the request was made on; the request is void."""

    code = "evidence_changed"


class OwnRequestError(ModelsStoreError, ForbiddenError):
    """Whoever asks for a promotion can't approve it."""

    code = "own_request"


class AlreadyDecidedError(ModelsStoreError, RefusedError):
    """This person has given their word on the request before."""

    code = "already_decided"


class RightMissingError(ModelsStoreError, ForbiddenError):
    """The actor may not ask, approve or waive."""

    code = "right_missing"


class PromotionFrozenError(ModelsStoreError, RefusedError):
    """A freeze period of the policy holds the stage."""

    code = "promotion_frozen"


class OutsideWindowError(ModelsStoreError, RefusedError):
    """The policy's windows are closed now."""

    code = "outside_window"


class AuditBrokenError(ModelsStoreError, RefusedError):
    """The audit chain does not hold, so it is not signed."""

    code = "audit_broken"
