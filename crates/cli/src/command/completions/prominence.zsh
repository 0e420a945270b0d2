#compdef prominence
# Completion for prominence in zsh; the program itself says what can come next.
_prominence() {
    local line text
    local -a before=("${(@Q)words[2,CURRENT-1]}")
    local -a open open_shown closed closed_shown
    while IFS= read -r line; do
        if [[ $line == ":files" ]]; then
            [[ $PREFIX == --*=* ]] && compset -P '*='
            _files
            return
        fi
        text="${line%%$'\t'*}"
        [[ $line == *$'\t'* ]] && line="$text  -- ${line#*$'\t'}"
        # Nothing ends a folder.
        if [[ $text == */ ]]; then
            open+=("$text")
            open_shown+=("$line")
        else
            closed+=("$text")
            closed_shown+=("$line")
        fi
    done < <(prominence __complete zsh "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)
    local found=1
    (( $#open )) && compadd -S '' -d open_shown -a open && found=0
    (( $#closed )) && compadd -d closed_shown -a closed && found=0
    return found
}
# Sourced, it registers itself; in a folder of fpath it is the function's body.
if [[ $funcstack[1] == _prominence ]]; then
    _prominence "$@"
else
    compdef _prominence prominence
fi
