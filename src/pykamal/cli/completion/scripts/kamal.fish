# Completion of kamal for fish. In ~/.config/fish/config.fish:  kamal completion fish | source

function __kamal_candidates
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    while string match --quiet --regex '^\w+=' -- $words[1]
        set --erase words[1]
    end
    set --local current (commandline --current-token --cut-at-cursor | string unescape)
    # Whatever the program's path in the line, the kamal of $PATH is asked: a project's bin/kamal does not run at TAB.
    command kamal __complete fish $words[2..] "$current" 2>/dev/null
end

complete --command kamal --no-files --keep-order --arguments '(__kamal_candidates)'
