// Command saker watches this machine and prints alerts; see the README, or saker --help.
package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	// Whoever read stdout may have gone: the write fails then, stdout's output says so, and the others go on. The signal is
	// caught and not ignored, so that programs we start have it as usual.
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE)
	_, err := unix.IoctlGetTermios(int(os.Stdout.Fd()), unix.TCGETS)
	code := app.Run(ctx, app.Env{
		Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Terminal: err == nil,
		Reload: on(unix.SIGHUP), Reopen: on(unix.SIGUSR1),
	})
	stop()
	os.Exit(code)
}

// on returns a channel that gets a value when the signal comes; signals that come faster than they are taken count once.
func on(s os.Signal) <-chan struct{} {
	signals, out := make(chan os.Signal, 1), make(chan struct{}, 1)
	signal.Notify(signals, s)
	go func() {
		for range signals {
			select {
			case out <- struct{}{}:
			default:
			}
		}
	}()
	return out
}
