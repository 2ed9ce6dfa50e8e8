//! `completions`: prints a completion script for a shell.

use crate::command::Context;
use crate::completion::INDEX;
use clap::Args;
use clap_complete::Shell;
use migrate_cli::CommandError;
use migrate_cli::Exit;

/// Print a completion script for a shell. In bash, zsh and fish, it also completes `cargo migrate`, versions and codes
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let script = match arguments.shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
        shell => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut (context.command_line)(), "cargo-migrate", &mut script);
            context.output.data(String::from_utf8_lossy(&script).trim_end());
            return Ok(Exit::Done);
        }
    };
    context.output.data(script.replace("INDEX", INDEX).trim_end());
    Ok(Exit::Done)
}

/// `cargo` keeps the completion that it has for all other commands.
const BASH: &str = r#"# cargo-migrate in bash. In ~/.bashrc: source <(cargo-migrate completions bash)
_cargo_migrate() {
    local words=() index=0 line word at=-1 equals=
    # Bash splits `--name=value` into three words.
    for word in "${COMP_WORDS[@]}"; do
        at=$((at + 1))
        if [[ $word == = && $at -gt 0 ]] || [[ $at -gt 1 && ${COMP_WORDS[at - 1]} == = ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        if [[ $at -eq $COMP_CWORD ]]; then
            index=$((${#words[@]} - 1))
            [[ ${words[index]} == --*=* ]] && equals=${words[index]%%=*}=
        fi
    done
    if [[ ${words[1]} == migrate ]]; then
        words=("${words[@]:1}")
        index=$((index - 1))
    fi
    words[0]=cargo-migrate
    COMPREPLY=()
    while IFS=$'\t' read -r line _; do
        COMPREPLY+=("${line#"$equals"}")
    done < <(INDEX=$index cargo-migrate "${words[@]:1}" 2>/dev/null)
}
complete -o default -o bashdefault -F _cargo_migrate cargo-migrate

if [[ -z ${_cargo_before_migrate+set} ]]; then
    declare -F _completion_loader >/dev/null && _completion_loader cargo 2>/dev/null
    _cargo_before_migrate=$(complete -p cargo 2>/dev/null | sed -n 's/.*-F \([^ ]*\).*/\1/p')
fi
_cargo_with_migrate() {
    if [[ ${COMP_WORDS[1]} == migrate && $COMP_CWORD -gt 1 ]]; then
        _cargo_migrate "$@"
    elif [[ -n $_cargo_before_migrate ]]; then
        "$_cargo_before_migrate" "$@"
    elif [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W migrate -- "${COMP_WORDS[1]}"))
    fi
}
complete -o default -o bashdefault -F _cargo_with_migrate cargo
"#;

/// The completion of cargo calls `_cargo-migrate` for the words after `migrate`, and starts with `migrate` itself.
const ZSH: &str = r#"#compdef cargo-migrate
# cargo-migrate in zsh. In ~/.zshrc, after compinit: source <(cargo-migrate completions zsh)
_cargo-migrate() {
    local -a all candidates
    local -i index=$((CURRENT - 1))
    all=("${words[@]}")
    if [[ ${all[1]} == cargo && ${all[2]} == migrate ]]; then
        all=("${all[@]:1}")
        index=$((index - 1))
    fi
    local line value
    while IFS= read -r line; do
        value=${${line%%$'\t'*}//:/\\:}
        if [[ $line == *$'\t'* ]]; then
            candidates+=("$value:${line#*$'\t'}")
        else
            candidates+=("$value")
        fi
    done < <(INDEX=$index cargo-migrate "${(@)all[2,-1]}" 2>/dev/null)
    if (( ${#candidates} )); then
        _describe -t candidates 'cargo migrate' candidates
    else
        _files
    fi
}
_cargo_with_migrate() {
    if [[ ${words[2]} == migrate && $CURRENT -gt 2 ]]; then
        _cargo-migrate
    elif (( $+functions[_cargo] )) || [[ -n ${functions_source[_cargo]} ]]; then
        _cargo
    elif [[ $CURRENT -eq 2 ]]; then
        compadd migrate
    fi
}
compdef _cargo-migrate cargo-migrate
compdef _cargo_with_migrate cargo
"#;

/// Fish adds what several completions of one command answer.
const FISH: &str = r#"# cargo-migrate in fish. In ~/.config/fish/config.fish: cargo-migrate completions fish | source
function __cargo_migrate
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    if test (count $before) -gt 1; and test "$before[2]" = migrate
        set -e before[1]
    end
    INDEX=(count $before) cargo-migrate $before[2..-1] "$current" 2>/dev/null
end
function __cargo_is_migrate
    set -l before (commandline -opc)
    test (count $before) -gt 1; and test "$before[2]" = migrate
end
complete -c cargo-migrate -f -a '(__cargo_migrate)'
complete -c cargo -n 'test (count (commandline -opc)) -eq 1' -f -a migrate -d 'Create, check, apply and revert SQL migrations'
complete -c cargo -n __cargo_is_migrate -f -a '(__cargo_migrate)'
"#;
