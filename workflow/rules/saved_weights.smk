"""Runs whose attention other software saved."""


rule list_weights:
    input:
        unpack(inputs("list_weights")),
    output:
        **plan.patterns("list_weights"),
    params:
        spec=spec("list_weights"),
    localrule: True  # next to nothing to do
    message:
        "list_weights {wildcards.dataset}"
    script:
        "../scripts/list_weights.py"


rule import_weights:
    input:
        unpack(inputs("import_weights")),
    output:
        **plan.patterns("import_weights"),
    params:
        spec=spec("import_weights"),
    group:
        together("run")
    threads: plan.resources("import_weights").threads
    resources:
        **asked("import_weights"),
    message:
        "import_weights {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/import_weights.py"
