package servertest

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Postgres is a PostgreSQL server.
type Postgres struct {
	*Server
	socket string
}

// StartPostgres starts a PostgreSQL server whose superuser postgres has a password, with TLS when there are certificates.
func StartPostgres(t testing.TB, password string, cert *Certificates, mutual bool) *Postgres {
	t.Helper()
	const account = "postgres"
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		t.Skip("PostgreSQL is not installed: the Debian package postgresql has it")
	}
	slices.Sort(found)
	bin := filepath.Dir(found[len(found)-1])
	dir, addr := Dir(t, account), Free(t)
	data := filepath.Join(dir, "data")
	Command(t, account, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--pwfile="+Write(t, dir, "password", password+"\n"), "-E", "UTF8", "--locale=C")
	args := []string{"-D", data, "-k", dir, "-p", Port(t, addr), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"}
	if cert != nil {
		cert.Private(t, account)
		access := "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256"
		if mutual {
			access += " clientcert=verify-ca"
		}
		args = append(args, "-c", "ssl=on", "-c", "ssl_cert_file="+cert.ServerCert, "-c", "ssl_key_file="+cert.ServerKey, "-c", "ssl_ca_file="+cert.CA,
			"-c", "hba_file="+Write(t, dir, "hba", access+"\n"))
	}
	p := &Postgres{socket: fmt.Sprintf("host=%s port=%s user=postgres dbname=postgres", dir, Port(t, addr))}
	p.Server = Run(t, Program{
		Package: "postgresql", Path: filepath.Join(bin, "postgres"), Args: args, User: account, Dir: "/", Addr: addr, Stop: syscall.SIGINT,
		Ready: func(ctx context.Context) error {
			conn, err := pgx.Connect(ctx, p.socket)
			if err == nil {
				err = conn.Close(ctx)
			}
			return err
		},
	})
	return p
}

// Query makes statements as the superuser and returns the rows of the last one, whose only column is text.
func (p *Postgres) Query(t testing.TB, statements ...string) (out []string) {
	t.Helper()
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, p.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, s := range statements {
		rows, err := conn.Query(ctx, s)
		if err == nil {
			out, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return out
}
