"""How many instances a day of papers needs, what it costs, and what breaks first: a discrete-event simulation.

    python -m benchmarks.capacity measure PAPERS    # what a paper costs on this machine, into costs.json
    python -m benchmarks.capacity plan              # simulates the scenarios of plan.toml, for docs/scale.md
    python -m benchmarks.capacity validate PAPERS   # two real services behind HAProxy beside their simulation

The simulation runs the service's own `Admission` and `Pace` and the client's own `Retries`, with the settings of the
service and the figures of balancer and autoscaler in deploy/.
"""
