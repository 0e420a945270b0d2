# Completion for prominence in fish; the program itself says what can come next.
function __prominence_complete
    set -l words (commandline -opc)
    set -l last (commandline -ct)
    set -l found (prominence __complete fish $words[2..-1] "$last" 2>/dev/null)
    if test "$found[1]" = ":files"
        # In --option=FILE only what follows the = is the name of a file.
        set -l option (string match -r -- '^--[^=]*=' $last)
        set -l file (string replace -r -- '^--[^=]*=' '' $last)
        __fish_complete_path "$file" | string replace -r -- '^' "$option"
    else if set -q found[1]
        printf '%s\n' $found
    end
end
complete -c prominence -f -a '(__prominence_complete)'
