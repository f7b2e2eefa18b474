package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func completionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands and flags in bash, zsh, fish or powershell",
		Example: `  source <(paperplane completion bash)
  paperplane completion zsh > "${fpath[1]}/_paperplane"
  paperplane completion fish > ~/.config/fish/completions/paperplane.fish
  paperplane completion powershell | Out-String | Invoke-Expression`,
		ValidArgs:             shells,
		DisableFlagsInUseLine: true,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usagef("needs a shell: one of %s", strings.Join(shells, ", "))
			case len(args) > 1:
				return usagef("takes one shell, got %q as well", args[1])
			case !slices.Contains(shells, args[0]):
				return usagef("must be one of %s, got %q", strings.Join(shells, ", "), args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(p.stdout)
			}
			return fmt.Errorf("no script for %s", args[0])
		},
	}
}
