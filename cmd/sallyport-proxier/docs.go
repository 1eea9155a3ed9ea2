package main

import (
	"context"
	"fmt"
	"io"
	"os"
)

// flagsFile is the reference of the flags in the checkout.
const flagsFile = "cmd/sallyport-proxier/flags.md"

// docs writes the reference of the flags into the checkout that it is run in.
func docs(_ context.Context, args []string, stdout, _ io.Writer) error {
	if len(args) > 0 {
		return usagef("docs: unexpected argument %q", args[0])
	}
	if err := os.WriteFile(flagsFile, []byte(flagsPage()), 0o644); err != nil {
		return fmt.Errorf("docs: %w", err)
	}
	_, err := fmt.Fprintln(stdout, flagsFile)
	return err
}

func flagsPage() string {
	var o options
	return "<!-- Written by `make docs`. -->\n\n# Flags of sallyport-proxier\n\n```\n" + o.flagSet().FlagUsagesWrapped(110) + "```\n"
}
