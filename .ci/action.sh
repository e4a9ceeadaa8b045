#!/usr/bin/env bash
# The work of action.yml and of the GitLab template: verify, compare with .hingeproof/base if it is there, render.
# TARGETS, ARGUMENTS (separated by blanks), PROFILE, FAIL_ON (any, worse). Leaves .hingeproof/head and .hingeproof/report.
set -uo pipefail
set -f # a pattern such as torch.* is hingeproof's, not the shell's

read -r -a targets <<<"${TARGETS:-}"
read -r -a arguments <<<"${ARGUMENTS:-}"
head=.hingeproof/head
base=.hingeproof/base
out=.hingeproof/report
rm -rf "$head" "$out"
mkdir -p "$out"

hingeproof verify "${targets[@]}" "${arguments[@]}" --profile "${PROFILE:-ci}" --out "$head" --quiet | tee "$out/verdict.txt"
code=${PIPESTATUS[0]}
if [[ ! -f "$head/records.jsonl" ]]; then
    exit "$code" # nothing was judged: stderr says why
fi

worse=0
if [[ -f "$base/run.json" ]]; then
    hingeproof diff "$base" "$head" --html "$out/diff.html" --markdown "$out/diff.md" --comment "$out/comment.md" --annotations
    worse=$?
else
    echo "no run of the base branch is stored yet: nothing to compare with"
fi
hingeproof report "$head" --html "$out/report.html" --markdown "$out/report.md" --junit "$out/junit.xml" \
    --sarif "$out/findings.sarif" --badge "$out/badge.svg"
if [[ "${FAIL_ON:-any}" == any && "$code" == 1 && "$worse" != 1 ]]; then
    hingeproof report "$head" --annotations
fi

if [[ -n "${GITHUB_STEP_SUMMARY:-}" ]]; then
    # a step's summary holds 1 MiB in all
    if [[ -f "$out/comment.md" ]]; then cat "$out/comment.md" >>"$GITHUB_STEP_SUMMARY"; fi
    head -c 900000 "$out/report.md" >>"$GITHUB_STEP_SUMMARY"
fi
if [[ -n "${GITHUB_OUTPUT:-}" ]]; then
    echo "run=$head" >>"$GITHUB_OUTPUT"
    echo "verdict=$(head -n 1 "$out/verdict.txt")" >>"$GITHUB_OUTPUT"
fi

# 1 is a finding; whatever else went wrong is never forgiven
if [[ "$code" != 0 && ("$code" != 1 || "${FAIL_ON:-any}" == any) ]]; then
    exit "$code"
fi
# 5: the two runs have no check in common, as after a renaming
if [[ "$worse" == 5 ]]; then
    exit 0
fi
exit "$worse"
