"""Pretrained models on texts: models, texts, capture, measurement."""


rule obtain_model:
    input:
        unpack(inputs("obtain_model")),
    output:
        **plan.patterns("obtain_model"),
    params:
        spec=spec("obtain_model"),
    localrule: True  # it may download, which nodes often cannot
    message:
        "obtain_model {wildcards.model}"
    script:
        "../scripts/obtain_model.py"


rule prepare_texts:
    input:
        unpack(inputs("prepare_texts")),
    output:
        **plan.patterns("prepare_texts"),
    params:
        spec=spec("prepare_texts"),
    localrule: True  # it may download, which nodes often cannot
    message:
        "prepare_texts {wildcards.dataset}"
    script:
        "../scripts/prepare_texts.py"


rule extract_text:
    input:
        unpack(inputs("extract_text")),
    output:
        **plan.patterns("extract_text"),
    params:
        spec=spec("extract_text"),
    priority: 1  # the longest chain begins here: interventions can wait
    group:
        together("run")
    threads: plan.resources("extract_text").threads
    resources:
        **asked("extract_text"),
    message:
        "extract_text {wildcards.model}"
    script:
        "../scripts/extract_text.py"


rule measure_text:
    input:
        unpack(inputs("measure_text")),
    output:
        **plan.patterns("measure_text"),
    params:
        spec=spec("measure_text"),
    group:
        together("run")
    threads: plan.resources("measure_text").threads
    resources:
        **asked("measure_text"),
    message:
        "measure_text {wildcards.model}"
    script:
        "../scripts/measure_text.py"


rule intervene_text:
    input:
        unpack(inputs("intervene_text")),
    output:
        **plan.patterns("intervene_text"),
    params:
        spec=spec("intervene_text"),
    group:
        together("run")
    threads: plan.resources("intervene_text").threads
    resources:
        **asked("intervene_text"),
    message:
        "intervene_text {wildcards.model}"
    script:
        "../scripts/intervene_text.py"


rule aggregate_text:
    input:
        unpack(inputs("aggregate_text")),
    output:
        **plan.patterns("aggregate_text"),
    params:
        spec=spec("aggregate_text"),
    group:
        together("model")
    threads: plan.resources("aggregate_text").threads
    resources:
        **asked("aggregate_text"),
    message:
        "aggregate_text {wildcards.model}"
    script:
        "../scripts/aggregate_text.py"


rule compare_text:
    input:
        unpack(inputs("compare_text")),
    output:
        **plan.patterns("compare_text"),
    params:
        spec=spec("compare_text"),
    group:
        together("study")
    threads: plan.resources("compare_text").threads
    resources:
        **asked("compare_text"),
    message:
        "compare_text"
    script:
        "../scripts/compare_text.py"


rule export_text:
    input:
        unpack(inputs("export_text")),
    output:
        **plan.patterns("export_text"),
    params:
        spec=spec("export_text"),
    group:
        together("model")
    threads: plan.resources("export_text").threads
    resources:
        **asked("export_text"),
    message:
        "export_text {wildcards.model}"
    script:
        "../scripts/export_text.py"
