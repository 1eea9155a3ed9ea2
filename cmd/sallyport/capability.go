package main

import (
	"fmt"
	"log/slog"
	"os"

	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// useBindService makes the right to listen below port 1024 effective where this
// process is permitted it, and lets nginx inherit it. So nginx needs no capability
// in its file, and ours one that is permitted only: the kernel refuses to run a file
// with an effective one where a container lacks it (capabilities(7)). Who has no
// such right goes without; so does root, who gives all on anyway.
func useBindService(log *slog.Logger) {
	if err := passBindService(); err != nil {
		log.Warn("the capability NET_BIND_SERVICE can't be used", "because", err)
	}
}

func passBindService() error {
	if os.Geteuid() == 0 {
		return nil
	}
	const right = cap.NET_BIND_SERVICE
	mine := cap.GetProc()
	if permitted, err := mine.GetFlag(cap.Permitted, right); err != nil || !permitted {
		return err
	}
	for _, flag := range []cap.Flag{cap.Effective, cap.Inheritable} {
		if err := mine.SetFlag(flag, true, right); err != nil {
			return err
		}
	}
	if err := mine.SetProc(); err != nil {
		return fmt.Errorf("make it effective: %w", err)
	}
	if err := cap.SetAmbient(true, right); err != nil {
		return fmt.Errorf("pass it on to nginx: %w", err)
	}
	return nil
}
