"""What to do about each kind of error."""

from __future__ import annotations

ADVICE = {
    "AccessError": "Enter the backend's user name and password where Label Studio's project "
    "settings connect the model; for webhooks write them into the URL.",
    "BrushRleError": "A brush mask of the task is damaged: erase it and paint it again.",
    "BusyError": "More clicks arrive, or tasks with a finder are opened, than are computed: add "
    "workers, a GPU, or raise MFP_MAX_WAITING.",
    "CheckpointError": "A file of weights is missing or damaged: do what the message says.",
    "ClusterError": "Look at the replicas with `ray status`. Clicks are answered as long as one "
    "serves. A replica that computes unlike the others belongs on a machine like theirs.",
    "ConfigError": "Correct what the message names, in the settings or in the project's label "
    "configuration.",
    "ContentTypeError": "Something other than Label Studio sends requests.",
    "DataError": "An annotation or a file holds something that cannot be read: the message says "
    "what.",
    "FineTuningError": "Look into the log. Jobs wait until `mfp work` runs again.",
    "HostError": "Name the host under which Label Studio or you call this server in "
    "MFP_ALLOWED_HOSTS.",
    "ImageError": "Open the task's image in a browser. If it is well there, do what the message "
    "says.",
    "InboxFullError": "The disk may be full, or another program holds the file of jobs.",
    "LabelConfigError": "Compare the project's label configuration with those in label_config/.",
    "LabelStudioError": "Check LABEL_STUDIO_URL and LABEL_STUDIO_API_KEY, and restart the backend.",
    "LabelStudioUnreachableError": "Start Label Studio. If it runs, correct LABEL_STUDIO_URL, and "
    "restart the backend.",
    "LostJobError": "Another worker runs the job by now: nothing is to be done.",
    "NotReadyError": "The weights load for some seconds after a start. If it goes on, the log "
    "says why.",
    "OriginError": "Somebody's browser has a page open that tries to use this server.",
    "PromptError": "A click lies outside the image: reload the task.",
    "RegistryAwayError": "Look whether the database and the bucket can be reached. Versions that "
    "cannot be had are tried again every second.",
    "RegistryError": "Look into the folder models/ of MFP_DATA_DIR, and at `mfp models list`.",
    "RelationError": "Delete the relation, or let people work with Auto-Accept: set "
    'autoAccept="true" on the mask control.',
    "RequestEntityTooLarge": "The task carries very many regions: raise MFP_MAX_REQUEST_MB.",
    "RequestError": "Something other than Label Studio sends requests, or another version of it.",
    "StorageError": "The disk may be full, another program may hold a file, or the database is "
    "away. Clicks are answered meanwhile.",
    "SupervisionError": "The workers that run go on. Correct what the message names, then send "
    "SIGHUP or restart.",
    "TooManyTriesError": "Somebody tries passwords.",
    "UnknownProjectError": "Open the project's settings in Label Studio, or one of its tasks.",
}
UNKNOWN = "This is a bug here: report it with the lines of the log that have this request's id."
