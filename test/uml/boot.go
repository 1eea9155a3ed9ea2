package uml

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

//go:embed init.sh
var initScript string

// prepare writes what init.sh reads: the list of modules and the command.
func prepare(folder string, argv, env []string) error {
	modules, err := moduleFolder()
	if err != nil {
		return err
	}
	paths, err := modulePaths(modules)
	if err != nil {
		return err
	}
	command, err := commandScript(argv, env)
	if err != nil {
		return err
	}
	files := map[string]string{
		"init":    initScript,
		"modules": strings.Join(paths, "\n") + "\n",
		"command": command,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// commandScript is a shell script that becomes the command.
func commandScript(argv, env []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("no command")
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	words := []string{"exec", "env", "-i", "HOME=/root", "USER=root", "TMPDIR=/run/tmp", `"PATH=$PATH"`, insideKey + "=1"}
	for _, word := range append(append([]string{}, env...), argv...) {
		words = append(words, quote(word))
	}
	return "cd " + quote(here) + " || exit 127\n" + strings.Join(words, " ") + "\n", nil
}

// quote makes a word of any text for the shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// boot runs the guest to its end and gives what it said on its console. The
// error says that the host could not start it, or could not read from it.
func boot(ctx context.Context, w io.Writer, folder string, memMB int) (console string, err error) {
	// The guest's tty1 is our end of a socket: a pipe has one direction, a
	// terminal two.
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "guest"), os.NewFile(uintptr(pair[1]), "tty1")
	defer ours.Close()
	defer theirs.Close()

	// A file, not a buffer: that would be read until the last helper ends.
	said, err := os.Create(filepath.Join(folder, "console"))
	if err != nil {
		return "", err
	}
	defer said.Close()
	cmd := command(ctx, folder, memMB)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.ExtraFiles = []*os.File{theirs} // is number 3 there
	if err := cmd.Start(); err != nil {
		return "", err
	}
	release, err := guard(cmd.Process.Pid, folder)
	if err != nil {
		killGroup(cmd.Process.Pid)
		cmd.Wait() // it was killed
		return "", err
	}
	theirs.Close() // or our reading would not end with the guest
	copied := make(chan error, 1)
	go func() { copied <- copyAll(w, ours) }()
	waited := cmd.Wait()
	killGroup(cmd.Process.Pid)
	release()
	err = <-copied
	if _, exited := errors.AsType[*exec.ExitError](waited); err == nil && !exited {
		err = waited
	}
	text, _ := os.ReadFile(said.Name()) // only a report's decoration
	return string(text), err
}

// copyAll reads to the end even where it can't write, for a guest that nobody
// reads from stands still.
func copyAll(w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, r)
	if errors.Is(err, syscall.ECONNRESET) {
		return nil // the guest left something unread, which nobody wrote
	}
	if err != nil {
		io.Copy(io.Discard, r)
	}
	return err
}

// guard kills a guest and removes its folder when this process ends, of
// whatever cause: that closes the pipe that the guard reads. Release ends the
// guard instead.
//
// The signal that a kernel sends to children whose parent died would leave the
// guest's helpers and the processes that it traces behind.
func guard(group int, folder string) (release func(), err error) {
	cmd := exec.Command("sh", "-c", `read -r nothing; kill -9 "-$0"; rm -rf "$1"`, strconv.Itoa(group), folder)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's signals aren't for it
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		cmd.Process.Kill() // before its pipe is closed
		cmd.Wait()
	}, nil
}

// killGroup kills a guest: each process in there is also one of the host, and
// User-mode Linux keeps them in the process group of the first, if that leads
// it; else it makes a session of its own, which nobody would find.
func killGroup(group int) error { return syscall.Kill(-group, syscall.SIGKILL) }

func command(ctx context.Context, folder string, memMB int) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "linux.uml",
		fmt.Sprintf("mem=%dM", memMB),
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw",
		"init="+filepath.Join(folder, "init"), "UML_FOLDER="+folder,
		"con=null", "con0=null,fd:1", "con1=fd:3", "quiet", "panic=-1")
	cmd.Env = []string{"TMPDIR=" + memory, "PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	cmd.Dir = folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
	return cmd
}
