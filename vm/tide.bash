# tide.bash -- completion of tide for bash: options, subcommands, names of the documentation, scripts.

_tide_names() {
  "$1" -e 'for _, n in ipairs(require("tide.doc").names()) do print((n:gsub("^topic%.", ""))) end' 2>/dev/null
}

# Options that a script of a folder "examples" says it has.
_tide_script_options() {
  case $2 in lab) ;; examples/*.lua | */examples/*.lua) [ -f "$2" ] || return ;; *) return ;; esac
  "$1" "$2" --help 2>/dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u
}

_tide_files() {
  local IFS=$'\n'
  compopt -o filenames 2>/dev/null
  COMPREPLY+=($(compgen -f -X '!*.lua' -- "$cur") $(compgen -d -- "$cur"))
}

# The installed examples, when the word is the beginning of one of their names.
_tide_examples() {
  local dir file
  dir=$(dirname "$(command -v "$1" 2>/dev/null || echo "$1")")/../share/doc/springtide/examples
  [ -n "$cur" ] || return
  for file in "$dir"/"$cur"*.lua; do
    [ -f "$file" ] && COMPREPLY+=("$(cd "$dir" && pwd)/${file##*/}")
  done
}

_tide() {
  local cur prev word script= i takes=
  COMPREPLY=()
  cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [ -n "$takes" ]; then takes=; continue; fi
    case $word in
    -e | -l | --device | --threads | --seed | --color) takes=1 ;;
    -*) ;;
    =) takes=1 ;;
    *) script=$word; break ;;
    esac
  done
  [ "$prev" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}
  [ "$cur" != = ] || cur=
  case $script in
  help) COMPREPLY=($(compgen -W "$(_tide_names "$1")" -- "$cur")); return ;;
  runs | nb) _tide_files; return ;;
  kernel) COMPREPLY=($(compgen -W 'install uninstall list --user --prefix --sys-prefix --name' -- "$cur"))
    return ;;
  ?*)
    case $cur in
    -*) COMPREPLY=($(compgen -W "$(_tide_script_options "$1" "$script")" -- "$cur")) ;;
    *) compopt -o default 2>/dev/null ;;
    esac
    return ;;
  esac
  case $prev in
  --color) COMPREPLY=($(compgen -W 'auto always never' -- "$cur")); return ;;
  --device) COMPREPLY=($(compgen -W 'cpu cuda' -- "$cur")); return ;;
  --threads | --seed | -e | -l) return ;;
  esac
  case $cur in
  -*) COMPREPLY=($(compgen -W '-e -i -l -v -E -W -- - --device --threads --seed --headless --color
    --version --help' -- "$cur")) ;;
  *)
    COMPREPLY=($(compgen -W 'help runs nb kernel lab' -- "$cur"))
    _tide_files
    [ ${#COMPREPLY[@]} -gt 0 ] || _tide_examples "$1" ;;
  esac
}

complete -F _tide tide
