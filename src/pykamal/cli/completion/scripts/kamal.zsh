#compdef kamal
# Completion of kamal for zsh. In ~/.zshrc, behind compinit:  source <(kamal completion zsh)
# Or as a file in a folder of $fpath:  kamal completion zsh > ~/.zfunc/_kamal

_kamal() {
    local -a ends open
    local line
    # Whatever the program's path in the line, the kamal of $PATH is asked: a project's bin/kamal does not run at TAB.
    while IFS= read -r line; do
        # A directory is not the end of a word.
        if [[ $line == */ ]]; then open+=("$line"); else ends+=("$line"); fi
    done < <(command kamal __complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2> /dev/null)
    local missing=1
    (( $#ends )) && _describe -V kamal ends && missing=0
    (( $#open )) && _describe -V kamal open -S '' && missing=0
    return missing
}

if [[ $funcstack[1] == _kamal ]]; then
    _kamal "$@"
else
    compdef _kamal kamal
fi
