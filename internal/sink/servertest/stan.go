package servertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"
)

// stanVersion is the last one.
const stanVersion = "v0.25.6"

// StartSTAN starts a NATS Streaming server with a cluster of the name test and one user, with TLS when there are certificates.
// No Debian package has it: it is looked for where CI installs tools, and in the path.
func StartSTAN(t testing.TB, user, password string, cert *Certificates, mutual bool) *Server {
	t.Helper()
	const name = "nats-streaming-server"
	dir := os.Getenv("SAKER_TOOLS")
	if home, err := os.UserHomeDir(); dir == "" && err == nil {
		dir = filepath.Join(home, ".cache", "saker-tools")
	}
	path := filepath.Join(dir, name+"-"+stanVersion)
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath(name); err != nil {
			t.Skipf("%s is not installed: go install github.com/nats-io/nats-streaming-server@%s", name, stanVersion)
		}
	}
	addr := Free(t)
	config := fmt.Sprintf("authorization {user: %s, password: %s, timeout: %v}\n", user, password, patience.Seconds())
	args := []string{"-cid", "test", "-a", "127.0.0.1", "-p", Port(t, addr), "-c", Write(t, Dir(t, ""), "nats.conf", config)}
	if cert != nil {
		args = append(args, "-tls", "-tlscert", cert.ServerCert, "-tlskey", cert.ServerKey, "-tlscacert", cert.CA)
		// The streaming server is a client of the NATS server inside it.
		args = append(args, "-secure=true", "-tls_client_cert", cert.ClientCert, "-tls_client_key", cert.ClientKey, "-tls_client_cacert", cert.CA)
		if mutual {
			args = append(args, "-tlsverify")
		}
	}
	options := []nats.Option{nats.UserInfo(user, password)}
	if cert != nil {
		options = append(options, nats.Secure(cert.Client()))
	}
	return Run(t, Program{Package: name, Path: path, Args: args, Addr: addr, Ready: func(ctx context.Context) error {
		conn, err := nats.Connect("nats://"+addr, options...)
		if err == nil {
			defer conn.Close()
			_, err = conn.RequestWithContext(ctx, "_STAN.discover.test", nil) // it is refused
		}
		return err
	}})
}
