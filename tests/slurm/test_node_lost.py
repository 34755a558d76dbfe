"""A node that dies: its job is tried again on the other one, by Snakemake alone."""

TARGETS = [f"results/tiny/runs/{model}/seed-1/outcome.json" for model in ("mlp", "base")]


def test_the_job_of_a_dead_node_ends_on_the_other(controlled, whole_cluster):
    controller = controlled(whole_cluster)
    # a GPU each, so that the jobs begin on different nodes
    running = controller.start(*TARGETS, overrides="seeds=[1] resources.train.gpu=1")
    (lost,) = controller.until(lambda: controller.running(node="node1"), seconds=120)
    try:
        whole_cluster.kill_node("node1")
        code, said = running.end()
    finally:
        whole_cluster.mend_node("node1")
    assert code == 0, said[-6000:]
    jobs = {job.id: job for job in controller.accounting()}
    assert (jobs[lost].state, jobs[lost].node) == ("NODE_FAIL", "node1")
    others = [job for job in jobs.values() if job.id != lost]
    assert [(job.state, job.node) for job in others] == [("COMPLETED", "node2")] * 2
    assert all((controller.project.folder / target).exists() for target in TARGETS)
