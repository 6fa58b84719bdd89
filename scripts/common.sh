# Shared by the scripts beside it: a Python that fits, a virtual environment of its own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

find_python() {
    for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
        if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed; install one, or name it: PYTHON=/path/to/python $0" >&2
    exit 2
}

# make_env FOLDER: an environment in FOLDER; sets $env_python
make_env() {
    [ -x "$1/bin/python" ] || "$(find_python)" -m venv "$1"
    env_python="$PWD/$1/bin/python"
    export PIP_DISABLE_PIP_VERSION_CHECK=1
}

# install_package FOLDER [EXTRAS]: Scumble from this checkout into $env_python, anew when its requirements have changed
install_package() {
    local asked
    asked="$(cksum < pyproject.toml) ${2:-}"
    [ "$(cat "$1/.installed" 2>/dev/null)" != "$asked" ] || return 0
    echo "installing Scumble into $1 ..."
    "$env_python" -m pip install --quiet -e ".${2:-}"
    echo "$asked" > "$1/.installed"
}

# torch for the CPU: from PyTorch's CPU index where it answers, else whatever the default index has
# (on Linux that is the large CUDA build; it works too).
install_torch() {
    "$env_python" -c 'import torch' 2>/dev/null && return
    local cpu=https://download.pytorch.org/whl/cpu
    if "$env_python" -c "import urllib.request as u; u.urlopen('$cpu/torch/', timeout=5)" 2>/dev/null; then
        "$env_python" -m pip install --quiet torch==2.13.0 --index-url "$cpu"
    else
        "$env_python" -m pip install --quiet torch==2.13.0
    fi
}
