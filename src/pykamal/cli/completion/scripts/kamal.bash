# Completion of kamal for bash. In ~/.bashrc:  source <(kamal completion bash)
# With bash 3 (macOS):  eval "$(kamal completion bash)"

_kamal() {
    local candidate
    COMPREPLY=()
    # Whatever the program's path in the line, the kamal of $PATH is asked: a project's bin/kamal does not run at TAB.
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(command kamal __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2> /dev/null)

    # A directory is not the end of a word.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && type compopt > /dev/null 2>&1; then
        compopt -o nospace
    fi
}

complete -o nosort -F _kamal kamal 2> /dev/null || complete -F _kamal kamal
