# Completion of kamal for bash. In ~/.bashrc:  source <(kamal completion bash)
# With bash 3 (macOS):  eval "$(kamal completion bash)"

_kamal() {
    local line=${COMP_LINE:0:COMP_POINT} candidate
    local program=${COMP_WORDS[0]/#~\//$HOME/}
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <("$program" __complete bash "$line" 2> /dev/null)
    ((${#COMPREPLY[@]})) || return 0

    # Readline replaces what follows the last of its word breaks, not the whole word.
    local word=${line##*[[:space:]]} breaks=${COMP_WORDBREAKS//[^:=@]/} kept=
    if [[ -n $breaks ]]; then
        kept=${word%"${word##*[$breaks]}"}
    fi
    COMPREPLY=("${COMPREPLY[@]#"$kept"}")

    # A directory is not the end of a word.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && type compopt > /dev/null 2>&1; then
        compopt -o nospace
    fi
}

complete -o nosort -F _kamal kamal 2> /dev/null || complete -F _kamal kamal
