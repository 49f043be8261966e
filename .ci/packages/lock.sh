#!/usr/bin/env bash
# Renews the lock of all packages that the image holds, each with the hashes of its files. No
# address of a registry gets into it. PyTorch has the version of the environment that this runs in,
# in which the tests ran.
#
#   packages.txt      all but PyTorch
#   ray.txt           what `mfp serve --ray` needs beside these
#   torch-nvidia.txt  PyTorch with the CUDA libraries, from the default index
#   torch-cpu.txt     PyTorch without them, from its own index
#   sbom.txt          what writes the list of the image's packages
set -euo pipefail
cd "$(dirname "$0")"

compile() { # compile OUTPUT SOURCE…: for every Python and platform that the project supports
  uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-header --constraints "$tested" --output-file "$@"
}

all=$(mktemp)
tested=$(mktemp)
trap 'rm -f "$all" "$tested"' EXIT
python -m pip freeze | grep -E "^(torch|torchvision)==" | sed 's/+.*//' > "$tested"
# The image builds its wheel with setuptools, and may share a database and a bucket with others.
echo "setuptools>=77" | compile "$all" ../../pyproject.toml - --extra postgres --extra s3
awk -v torch=torch-nvidia.txt -v others=packages.txt '
  BEGIN { printf "" > torch; printf "" > others }
  /^[a-z0-9]/ { file = /^(torch|torchvision|triton|nvidia-|cuda-)/ ? torch : others }
  { print > file }' "$all"
# Ray, with the very same versions of all the others.
grep -hE "^[a-z0-9].*==" packages.txt torch-nvidia.txt | sed 's/ \\$//' > "$tested"
compile "$all" ../../pyproject.toml --extra postgres --extra s3 --extra ray
awk 'FNR == 1 { n++ } /^[a-z0-9]/ { is_new = !($1 in there); if (n < 3) there[$1] }
  n == 3 && is_new' packages.txt torch-nvidia.txt "$all" > ray.txt
echo "cyclonedx-bom>=7" | compile sbom.txt -

pins=$(grep -oE "^(torch|torchvision)==[0-9.]+" torch-nvidia.txt)
if ! echo "$pins" | compile torch-cpu.txt --no-deps --torch-backend cpu -; then
  { echo "# Without hashes: PyTorch's own index was out of reach when this was written."
    echo "$pins"; } > torch-cpu.txt
  echo "torch-cpu.txt has no hashes: run this again where PyTorch's own index can be reached" >&2
  exit 1
fi
