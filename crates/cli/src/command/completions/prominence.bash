# Completion for prominence in bash (3.2 or later); the program itself says what can come next.
_prominence() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        if [[ $word == ":files" ]]; then
            compopt -o default -o filenames 2>/dev/null
            return
        fi
        COMPREPLY+=("${word%%$'\t'*}")
    done < <(prominence __complete bash "${COMP_LINE:0:$COMP_POINT}" "$2" 2>/dev/null)
    # Nothing ends a folder or an option that takes its value after =.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} != *[/=] ]]; then
        compopt +o nospace 2>/dev/null
    fi
}
complete -o nospace -F _prominence prominence
