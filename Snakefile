from snakemake.utils import min_version

min_version("9.27")


report: "workflow/report/workflow.rst"


include: "workflow/rules/once.smk"
include: "workflow/rules/common.smk"
for family in plan.rule_files:

    include: f"workflow/rules/{family}.smk"


rule all:
    default_target: True
    input:
        **plan.out("report"),
        **plan.out("verify"),
