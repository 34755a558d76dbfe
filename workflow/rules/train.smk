"""Runs that are trained here: data, training, capture."""


rule prepare_data:
    input:
        unpack(inputs("prepare_data")),
    output:
        **plan.patterns("prepare_data"),
    params:
        spec=spec("prepare_data"),
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
    message:
        "extract {wildcards.model} {wildcards.seed}"
    script:
        "../scripts/extract.py"
