"""Parts of the house that die or are restarted: Airflow's four processes, and the local SageMaker."""

import signal

from local.house import House
from tests.faults.registry import Expected, fault
from tests.faults.trial import Trial

AIRFLOW = ("scheduler", "triggerer", "dag-processor", "api-server")


def restart(trial: Trial, part: str, number: signal.Signals) -> None:
    house: House = trial.laptop.house
    house.supervisor.restart(part, number)


@fault("Triggerer SIGKILL", "the triggerer was killed while the task waited in it", alone=True)
def triggerer_killed(trial: Trial) -> Expected:
    with trial.waiting():
        restart(trial, "triggerer", signal.SIGKILL)
    return Expected()


@fault("Triggerer SIGTERM (deploy)", "the triggerer was restarted while the task waited in it", alone=True)
def triggerer_terminated(trial: Trial) -> Expected:
    with trial.waiting():
        restart(trial, "triggerer", signal.SIGTERM)
    return Expected()


@fault("Scheduler SIGKILL", "the scheduler and its workers were killed during the start call", alone=True)
def scheduler_killed(trial: Trial) -> Expected:
    with trial.held_start() as call:
        trial.start()
        trial.wait(lambda: call.fired > 0, "the start call to be held")
        restart(trial, "scheduler", signal.SIGKILL)
    return Expected()


@fault("API server restart", "the api-server was restarted during the start call", alone=True)
def api_server_restarted(trial: Trial) -> Expected:
    with trial.held_start() as call:
        trial.start()
        trial.wait(lambda: call.fired > 0, "the start call to be held")
        restart(trial, "api-server", signal.SIGTERM)
    return Expected()


@fault("Deploy of all of Airflow", "SIGTERM to all four processes, one after the other, while waiting", alone=True)
def airflow_deployed(trial: Trial) -> Expected:
    with trial.waiting():
        for part in AIRFLOW:
            restart(trial, part, signal.SIGTERM)
    return Expected()


@fault("Local SageMaker kill -9 and restart", "killed while PrepareBatch ran, and started again", alone=True)
def sagemaker_killed(trial: Trial) -> Expected:
    with trial.waiting():
        restart(trial, "aws", signal.SIGKILL)
    return Expected()
