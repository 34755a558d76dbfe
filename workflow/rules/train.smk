"""Runs that are trained here: data, training, capture."""


rule prepare_data:
    input:
        unpack(inputs("prepare_data")),
    output:
        **plan.patterns("prepare_data"),
    params:
        spec=spec("prepare_data"),
    localrule: True  # it may download, which nodes often cannot
    message:
        "prepare_data {wildcards.dataset}"
    script:
        "../scripts/prepare_data.py"


rule train:
    input:
        unpack(inputs("train")),
    output:
        **plan.patterns("train"),
    params:
        spec=spec("train"),
    group:
        together("run")
    threads: plan.resources("train").threads
    resources:
        **asked("train"),
    message:
        "train {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/train.py"


rule intervene:
    input:
        unpack(inputs("intervene")),
    output:
        **plan.patterns("intervene"),
    params:
        spec=spec("intervene"),
    group:
        together("run")
    threads: plan.resources("intervene").threads
    resources:
        **asked("intervene"),
    message:
        "intervene {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/intervene.py"


rule extract:
    input:
        unpack(inputs("extract")),
    output:
        **plan.patterns("extract"),
    params:
        spec=spec("extract"),
    group:
        together("run")
    threads: plan.resources("extract").threads
    resources:
        **asked("extract"),
    message:
        "extract {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/extract.py"
