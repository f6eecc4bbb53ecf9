# What every program of the oracle finds in its shell: stand-ins that write down what they are asked to run.
# fd 210 is the log: a line for each run, its words quoted, so that it is written at once.
shopt -u sourcepath
ulimit -t 1 -f 64 -c 0 -v 524288
[[ $PROCESSES == unlimited ]] || ulimit -u "$PROCESSES"
unset PROCESSES
enable -n kill suspend ulimit fc bind hash help logout times umask
_ran() { local IFS=' '; builtin printf '%s\n' "${*@Q}" >&210 2>&-; }
command_not_found_handle() { _ran "$@"; case $1 in *[13579]) return 1;; esac; }
for _name in echo printf true false; do
  eval "$_name() { _ran $_name \"\$@\"; builtin $_name \"\$@\"; }"
done
eval() { _ran eval "$@"; builtin eval "$@"; }
exec() { _ran exec "$@"; case ${1-} in -*) return 1;; esac; if (($#)); then "$@"; exit; fi; }
command() { _ran command "$@"; case $1 in -*) return 1;; esac; "$@"; }
env() { _ran env "$@"; local _i=1; while [[ ${1-} == *=* || ${1-} == -i ]]; do shift; done; case ${1-} in -*) return 1;; esac; "$@"; }
sudo() { _ran sudo "$@"; while [[ ${1-} == -* ]]; do case $1 in -[ghpu]) shift 2 || return 1;; -[AbEHiknPSs]) shift;; *) return 0;; esac; done; while [[ ${1-} == [A-Za-z_]*=* ]]; do shift; done; case ${1-} in -*) return 1;; esac; "$@"; }
timeout() { _ran timeout "$@"; case ${1-} in -*) return 1;; esac; shift; "$@"; }
nohup() { _ran nohup "$@"; case ${1-} in -*) return 1;; esac; "$@"; }
setsid() { _ran setsid "$@"; case ${1-} in -*) return 1;; esac; "$@"; }
nice() { _ran nice "$@"; if [[ ${1-} == -n ]]; then shift 2; fi; case ${1-} in -*) return 1;; esac; "$@"; }
sh() { _ran sh "$@"; if [[ ${1-} == -c ]]; then (shift; while [[ ${1-} == [+-]?* ]]; do shift; done; _s=$1; shift 2; builtin eval "$_s"); elif ! (($#)); then (builtin eval "$(while IFS= read -r _l; do builtin printf '%s\n' "$_l"; done)"); fi; }
bash() { _ran bash "$@"; if [[ ${1-} == -c ]]; then (shift; while [[ ${1-} == [+-]?* ]]; do shift; done; _s=$1; shift 2; builtin eval "$_s"); elif ! (($#)); then (builtin eval "$(while IFS= read -r _l; do builtin printf '%s\n' "$_l"; done)"); fi; }
xargs() { _ran xargs "$@"; case ${1-} in -n1) shift;; -n) [[ ${2-} == 1 ]] || return 1; shift 2;; -*) return 1;; esac; (($#)) || return 0; case $1 in -*) return 1;; esac; "$@" x; }
ssh() { _ran ssh "$@"; case ${1-} in -*) return 1;; esac; shift; case ${1-} in -*) return 1;; esac; (builtin eval "$*"); }
find() { _ran find "$@"; while (($#)) && [[ $1 != -exec ]]; do shift; done; shift; local _w=(); while (($#)) && [[ $1 != ';' && $1 != '+' ]]; do _w+=("$1"); shift; done; "${_w[@]}"; }
unset _name
