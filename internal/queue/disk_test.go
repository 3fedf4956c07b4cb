package queue

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/alert"
)

// TestDiskFull has a file system of its own run full, by another program: alerts are refused, none that was taken is lost, and they are
// taken again when there is room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	const size = Reserve + 32<<20
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=100663296"); err != nil {
		t.Skip("mounting a small file system needs root: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // at the end of the machine otherwise
	q := open(t, Config{Dir: filepath.Join(dir, "queue"), Destinations: to("d")})
	publish(t, q, alert.Notice, "before")
	other := filepath.Join(dir, "other")
	f, err := os.Create(other)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for range size >> 20 {
		if _, err := f.Write(block); err != nil {
			break // full
		}
	}
	f.Close()
	taken := 0
	refused := 0
	for deadline := time.Now().Add(20 * time.Second); refused < 50 && time.Now().Before(deadline); {
		if err := q.Publish(context.Background(), make1("during", alert.Notice)); err != nil {
			refused++
			if refused == 1 {
				t.Log(err)
			}
		} else {
			taken++
		}
	}
	if refused == 0 {
		t.Fatal("alerts are taken while the disk is full")
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if err := q.Publish(context.Background(), make1("after", alert.Notice)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("with room again: %v", err)
		}
	}
	got := take(t, q, "d", taken+2)
	if got[0].Alert.Rule != "before" || got[taken+1].Alert.Rule != "after" {
		t.Errorf("got %s", rules(got))
	}
	t.Logf("%d alerts were taken and %d refused while the disk was full", taken, refused)
}
