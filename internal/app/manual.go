package app

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

// completion prints the completion of a shell, from the list of options.
func completion(w io.Writer, args []string) error {
	if len(args) != 1 {
		return errors.New("completion: name the shell: bash, zsh or fish")
	}
	var words []string
	for _, p := range options() {
		if p.short != 0 {
			words = append(words, "-"+string(p.short))
		}
		if p.long != "" {
			words = append(words, "--"+p.long)
		}
	}
	words = append(words, commands()...)
	switch args[0] {
	case "bash":
		fmt.Fprintf(w, `_saker() {
  local cur=${COMP_WORDS[COMP_CWORD]}
  case ${COMP_WORDS[COMP_CWORD-1]} in
    -c|-r|-V|--validate|-P|--pidfile) COMPREPLY=($(compgen -f -- "$cur")); return;;
    --format) COMPREPLY=($(compgen -W "text markdown json" -- "$cur")); return;;
    completion) COMPREPLY=($(compgen -W "bash zsh fish" -- "$cur")); return;;
  esac
  COMPREPLY=($(compgen -W "%s" -- "$cur"))
}
complete -F _saker saker falco
`, strings.Join(words, " "))
	case "zsh":
		fmt.Fprint(w, "#compdef saker falco\n_arguments -s \\\n")
		for _, p := range options() {
			quote := strings.NewReplacer("'", "", "[", "(", "]", ")", ":", ",")
			arg := ""
			if p.arg != "" {
				arg = ":" + strings.Trim(p.arg, "<>") + ":_files"
			}
			if p.short != 0 {
				fmt.Fprintf(w, "  '*-%c[%s]%s' \\\n", p.short, quote.Replace(p.help), arg)
			}
			if p.long != "" {
				fmt.Fprintf(w, "  '*--%s[%s]%s' \\\n", p.long, quote.Replace(p.help), arg)
			}
		}
		fmt.Fprintf(w, "  '1::command:(%s)'\n", strings.Join(commands(), " "))
	case "fish":
		for _, p := range options() {
			line := "complete -c saker"
			if p.short != 0 {
				line += " -s " + string(p.short)
			}
			if p.long != "" {
				line += " -l " + p.long
			}
			if p.arg != "" && !p.implied {
				line += " -r"
			}
			fmt.Fprintf(w, "%s -d '%s'\n", line, strings.ReplaceAll(p.help, "'", ""))
		}
		fmt.Fprintf(w, "complete -c saker -n __fish_is_first_arg -a '%s'\n", strings.Join(commands(), " "))
	default:
		return fmt.Errorf("completion: %q is none of bash, zsh, fish", args[0])
	}
	return nil
}

// manual prints the manual page saker(8), from the list of options.
func manual(w io.Writer) {
	escape := strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace
	fmt.Fprintf(w, `.TH SAKER 8 "" "Saker %s" "System Administration"
.SH NAME
saker \- runtime security for Linux, containers and Kubernetes
.SH SYNOPSIS
.B saker
[\fIOPTION\fR...]
.br
.B saker config
[\fIOPTION\fR...]
.br
.B saker completion
bash|zsh|fish
.br
.B saker man
.SH DESCRIPTION
Saker watches system calls through eBPF, checks every event against rules in Falco's language, and prints an alert for each
match. Without a rules file it loads rules of its own. It needs root, Linux 5.8 or newer, and BTF.
.PP
.B saker config
prints the configuration in effect, with the file and line each value comes from.
.SH OPTIONS
`, Version)
	for _, p := range options() {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", escape(p.usage()), escape(p.help))
	}
	fmt.Fprint(w, `.SH SIGNALS
.TP
SIGHUP
reads configuration and rules again, without a gap; when they are wrong, those of before stay.
.TP
SIGUSR1
reopens the file and program outputs.
.TP
SIGINT, SIGTERM
end it, with statistics.
.SH EXIT STATUS
0 for success, 1 for an error, 255 when the file of \-P cannot be written.
.SH FILES
/etc/falco/falco.yaml
.SH ENVIRONMENT
HOST_ROOT, FALCO_HOSTNAME, FALCO_CGROUP_MEM_PATH
`)
}
