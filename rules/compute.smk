# What jobs ask of a machine or of a SLURM cluster, and the check before the first job that it is there.
import functools

from vfm_fusion.workflow import cluster
from vfm_fusion.errors import ComputeError

HEAVY_MB = STUDY.heavy_mb
gpus = of(STUDY.gpus)
training_gpus = of(STUDY.training_gpus, "run")


def training_memory(wildcards, attempt):
    """MB of a training job."""
    return STUDY.training_mb(wildcards.run) * attempt


def heavy_partition(number):
    """The partition of a job that wants GPUs: the profile's, else the first of the cluster that has them."""

    def partition(wildcards):
        wanted = number(wildcards)
        if not (wanted and submits()):
            return stated("slurm_partition")
        return stated("gpu_partition") or cluster.partition_with_gpus(
            partitions(), wanted
        )

    return partition


def lasting(minutes, number=None):
    """Minutes of a job: more with every attempt, as far as its partition allows.

    Jobs that are submitted together share what the partition allows.
    """

    def runtime(wildcards, attempt, rulename):
        if attempt == 1 or not submits():
            return minutes * attempt
        name = (
            heavy_partition(number)(wildcards) if number else stated("slurm_partition")
        )
        groups = workflow.group_settings
        group = workflow.get_rule(rulename).expand_group(wildcards)
        together = groups.group_components.get(group, 1)
        longest = cluster.longest_job(partitions(), name) // together
        return cluster.minutes_of_attempt(minutes, attempt, longest)

    return runtime


def submits():
    """Whether this call submits jobs to SLURM."""
    plugin = workflow.executor_plugin
    return plugin is not None and plugin.name == "slurm"


def stated(name):
    """A resource that the profile states for all jobs."""
    default = (workflow.resource_settings.default_resources or {}).get(name)
    raw = getattr(default, "raw", default)
    return None if raw is None else str(raw).strip("'\"")


@functools.cache
def partitions():
    """The cluster's partitions."""
    try:
        return cluster.read_partitions()
    except ComputeError as error:
        raise WorkflowError(f"ComputeError: {error}") from None


def refuse_unfit():
    """Ends a run that the machine or the cluster cannot carry before its first job; a dry run never comes here."""
    jobs = list(workflow.dag.needrun_jobs())
    try:
        if submits():
            cluster.check_folder(str(ROOT))
            cluster.check_memory_of_jobs(
                workflow.executor_settings.init_seconds_before_status_checks
            )
            cluster.check_account(stated("slurm_account"))
            cluster.check_requests({asked(job) for job in jobs}, partitions())
        elif workflow.local_exec:
            cluster.check_this_machine(
                max((job.resources.get("gpu", 0) for job in jobs), default=0)
            )
    except ComputeError as error:
        raise WorkflowError(f"ComputeError: {error}") from None


def asked(job):
    """What a job, or the group that it is submitted with, asks of a partition."""
    group = workflow.dag.get_job_group(job)
    name = f"group {group.groupid}" if group else f"rule {job.rule.name}"
    get = (group or job).resources.get
    return cluster.Request(
        name, get("slurm_partition"), get("gpu", 0), get("runtime", 0)
    )


def undisturbed(wildcards):
    """Threads of a job that nothing may run beside: on a cluster, and in its job there, what it asks for itself."""
    on_cluster = submits() or workflow.remote_exec
    return measured_threads() if on_cluster else workflow.cores


def measured_threads():
    """Threads of torch that a training has."""
    return 1 + CONFIG.training.workers
