"""Errors of datasets, features and snapshots."""

from features.ground.errors import (
    ConflictError,
    DomainError,
    InvalidInputError,
    NotFoundError,
    RefusedError,
    TooLargeError,
    UnavailableError,
)


class FeaturesError(DomainError):
    """Base of this app's errors."""

    code = "features_error"


class UnknownDatasetError(FeaturesError, NotFoundError):
    """No dataset has this name."""

    code = "unknown_dataset"


class UnknownDatasetVersionError(FeaturesError, NotFoundError):
    """The dataset has no version of this number."""

    code = "unknown_dataset_version"


class UnknownFeatureViewError(FeaturesError, NotFoundError):
    """No feature view has this name or version."""

    code = "unknown_feature_view"


class UnknownFeatureSnapshotError(FeaturesError, NotFoundError):
    """No snapshot has this id."""

    code = "unknown_feature_snapshot"


class FileMissingError(FeaturesError, NotFoundError):
    """The named file isn't there."""

    code = "file_missing"


class UnreadableFileError(FeaturesError, InvalidInputError):
    """The file's bytes are not what its format asks for."""

    code = "unreadable_file"


class ReadOptionError(FeaturesError, InvalidInputError):
    """An option of how files are to be read makes no sense."""

    code = "bad_read_option"


class InputTooLargeError(FeaturesError, TooLargeError):
    """A file, a row of it or what it unpacks to is over a limit."""

    code = "input_too_large"


class NaiveTimesError(FeaturesError, InvalidInputError):
    """Times name no zone, and the dataset names none for them."""

    code = "naive_timestamps"


class DiskFullError(FeaturesError, UnavailableError):
    """The disk is full; nothing was kept of what was begun."""

    code = "disk_full"


class EmptyFileError(FeaturesError, InvalidInputError):
    """The file holds no row."""

    code = "empty_file"


class HeaderError(FeaturesError, InvalidInputError):
    """The file's column names can't be used."""

    code = "bad_header"


class ColumnsError(FeaturesError, InvalidInputError):
    """The file's columns are not those of the schema."""

    code = "columns_differ"


class SchemaError(FeaturesError, InvalidInputError):
    """A schema, or what a caller says about columns, makes no sense."""

    code = "bad_schema"


class TooManyRejectedError(FeaturesError, RefusedError):
    """More rows are faulty than the dataset's policy allows."""

    code = "too_many_rejected"


class DatasetChangedError(FeaturesError, ConflictError):
    """Another ingestion changed the dataset in between."""

    code = "dataset_changed"


class DatasetBusyError(FeaturesError, ConflictError):
    """Others have been writing to the dataset for longer than one waits."""

    code = "dataset_busy"


class UpsertKeyError(FeaturesError, InvalidInputError):
    """The rows can't be matched by the key: there is none, or a row has no value in it."""

    code = "bad_key_columns"


class VersionPrunedError(FeaturesError, RefusedError):
    """The dataset version is older than its retention, and its rows were removed."""

    code = "version_pruned"


class TableLostError(FeaturesError, RefusedError):
    """A dataset's Delta table has not the version that is recorded of it."""

    code = "table_lost"


class StorageUnavailableError(FeaturesError, UnavailableError):
    """The bucket that holds tables and snapshots can't be used."""

    code = "storage_unavailable"


class DefinitionError(FeaturesError, InvalidInputError):
    """A feature view's definition can't be used."""

    code = "bad_definition"


class MaterializeConflictError(FeaturesError, ConflictError):
    """Another materialization of the view began later and was faster."""

    code = "materialize_conflict"


class NotMaterializedError(FeaturesError, RefusedError):
    """The feature view has no online values yet."""

    code = "not_materialized"


class OnlineStoreDownError(FeaturesError, UnavailableError):
    """The store of online values doesn't answer."""

    code = "online_store_down"


class BadEntityError(FeaturesError, InvalidInputError):
    """What names an entity can't be the key of one."""

    code = "bad_entity"


class TooManyEntitiesError(FeaturesError, TooLargeError):
    """More entities are asked for at once than the installation allows."""

    code = "too_many_entities"


class UnknownFeatureError(FeaturesError, NotFoundError):
    """The feature view has no feature of this name."""

    code = "unknown_feature"


class SnapshotDamagedError(FeaturesError, RefusedError):
    """A snapshot's rows are gone or are not those its fingerprint names."""

    code = "snapshot_damaged"


class ContractNotApprovedError(FeaturesError, RefusedError):
    """The dataset takes no rows before somebody has approved its contract."""

    code = "contract_not_approved"


class ContractApprovedError(FeaturesError, RefusedError):
    """The contract was approved before."""

    code = "contract_approved"


class ContractChangedError(FeaturesError, ConflictError):
    """Somebody else changed the contract in between."""

    code = "contract_changed"


class ContractEditError(FeaturesError, RefusedError):
    """The dataset's rows or views don't allow this change of its contract."""

    code = "contract_edit_refused"


class DatasetRulesBrokenError(FeaturesError, RefusedError):
    """The rows as a whole break rules of the dataset."""

    code = "dataset_rules_broken"


class NothingFixedError(FeaturesError, RefusedError):
    """No row of a mended file can take the place of a refused one."""

    code = "nothing_fixed"


class FeatureTestFailedError(FeaturesError, RefusedError):
    """Values of a view fail one of its tests."""

    code = "feature_test_failed"


class EngineMissingError(FeaturesError, UnavailableError):
    """The engine that is configured is not installed, lacks its JDK, or does not answer."""

    code = "engine_missing"


class LabelsError(FeaturesError, InvalidInputError):
    """A file of labels lacks what the views need of it."""

    code = "bad_labels"


class AcceptanceError(FeaturesError, InvalidInputError):
    """Findings of the leakage check are accepted by name and with a reason."""

    code = "bad_acceptance"


class LeakageFoundError(FeaturesError, RefusedError):
    """The training set knows what it is to predict, or is judged on rows it learns from."""

    code = "leakage_found"
