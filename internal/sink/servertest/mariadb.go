package servertest

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a MariaDB server.
type MariaDB struct {
	*Server
	socket string
}

// StartMariaDB starts a MariaDB server with a database falco and a user that has it, with TLS when there are certificates.
func StartMariaDB(t testing.TB, user, password string, cert *Certificates, mutual bool) *MariaDB {
	t.Helper()
	const account = "mysql"
	install := Find(t, "mariadb-server", "mariadb-install-db")
	path := Find(t, "mariadb-server", "mariadbd")
	dir, addr := Dir(t, account), Free(t)
	data := dir + "/data"
	Command(t, account, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db", "--innodb-flush-log-at-trx-commit=0")
	require := ""
	args := []string{
		"--no-defaults", "--datadir=" + data, "--socket=" + dir + "/socket", "--pid-file=" + dir + "/pid", "--port=" + Port(t, addr), "--bind-address=127.0.0.1",
		"--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-fast-shutdown=1",
	}
	if cert != nil {
		cert.Private(t, account)
		args = append(args, "--ssl-ca="+cert.CA, "--ssl-cert="+cert.ServerCert, "--ssl-key="+cert.ServerKey)
		if require = "REQUIRE SSL"; mutual {
			require = "REQUIRE X509"
		}
	}
	args = append(args, "--init-file="+Write(t, dir, "init.sql", fmt.Sprintf(
		"CREATE DATABASE IF NOT EXISTS falco;\nCREATE USER IF NOT EXISTS '%s'@'127.0.0.1' IDENTIFIED BY '%s' %s;\nGRANT ALL ON falco.* TO '%s'@'127.0.0.1';\n", user, password, require, user)))
	m := &MariaDB{socket: "root@unix(" + dir + "/socket)/falco?multiStatements=true"}
	m.Server = Run(t, Program{
		Package: "mariadb-server", Path: path, Args: args, User: account, Dir: "/", Addr: addr,
		Ready: func(ctx context.Context) error {
			db, err := sql.Open("mysql", m.socket)
			if err != nil {
				return err
			}
			defer db.Close()
			return db.PingContext(ctx)
		},
	})
	return m
}

// Query makes a statement as the superuser and returns the first column of its rows.
func (m *MariaDB) Query(t testing.TB, statement string) (out []string) {
	t.Helper()
	o, err := mysql.ParseDSN(m.socket)
	if err != nil {
		t.Fatal(err)
	}
	connector, err := mysql.NewConnector(o)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	rows, err := db.Query(statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
