package servertest

import (
	"os/exec"
	"strings"
	"testing"
)

// Redis is a Redis server that keeps what it has when it is stopped.
type Redis struct {
	*Server
	cli, plain, password string
}

// StartRedis starts a Redis server with a password for the default user, with TLS when there are certificates.
func StartRedis(t testing.TB, password string, cert *Certificates, mutual bool) *Redis {
	t.Helper()
	r := &Redis{cli: Find(t, "redis-tools", "redis-cli"), plain: Free(t), password: password}
	dir := Dir(t, "")
	args := []string{"--port", Port(t, r.plain), "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--requirepass", password, "--save", ""}
	addr := r.plain
	if cert != nil {
		addr = Free(t)
		args = append(args, "--tls-port", Port(t, addr), "--tls-cert-file", cert.ServerCert, "--tls-key-file", cert.ServerKey, "--tls-ca-cert-file", cert.CA, "--tls-auth-clients")
		if mutual {
			args = append(args, "yes")
		} else {
			args = append(args, "no")
		}
	}
	r.Server = Run(t, Program{Package: "redis-server", Path: "redis-server", Args: args, Addr: addr})
	return r
}

// Do makes a command and returns the lines of its answer.
func (r *Redis) Do(t testing.TB, args ...string) []string {
	t.Helper()
	cmd := exec.Command(r.cli, append([]string{"-p", Port(t, r.plain), "--no-auth-warning", "--raw"}, args...)...)
	cmd.Env = append(cmd.Environ(), "REDISCLI_AUTH="+r.password)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("redis-cli: %v: %s", err, out)
	}
	text := strings.TrimSuffix(string(out), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}
