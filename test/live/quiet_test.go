//go:build linux

package live

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/rules"
)

// quietWork is what people and machines do in ten ordinary minutes, without the pauses: administration in a shell,
// compiling, packing, version control, packages, keys, another user, periodic jobs. It writes only below its directory.
const quietWork = `
set -u
have() { command -v "$1" >/dev/null 2>&1; }
for i in 1 2 3 4 5 6 7 8 9 10; do
	ls -la /etc >/dev/null; cat /etc/hostname /etc/passwd >/dev/null; grep -c root /etc/passwd >/dev/null
	id >/dev/null; ps >/dev/null 2>&1; df >/dev/null; uname -a >/dev/null; date >/dev/null; env >/dev/null
	find /usr/share/doc -maxdepth 1 >/dev/null; sort /etc/services 2>/dev/null | uniq | wc -l >/dev/null
	echo "$i" >>notes.txt; cp notes.txt copy.txt; mv copy.txt moved.txt; chmod 600 moved.txt; ln -sf moved.txt link.txt; rm -f moved.txt
	mkdir -p a/b/c; touch a/b/c/d; echo x >/dev/null 2>&1
done
tar czf work.tgz a notes.txt; tar tzf work.tgz >/dev/null; gzip -k notes.txt; sha256sum work.tgz >/dev/null
printf 'echo hello | base64 | base64 -d\n' >job.sh; sh job.sh >/dev/null
if have gcc; then
	printf '#include <stdio.h>\nint main(void){puts("hello");return 0;}\n' >hello.c
	for i in 1 2 3; do gcc -O2 -o hello hello.c && ./hello >/dev/null; done
fi
if have make; then printf 'all:\n\t@echo made\n' >Makefile; make >/dev/null; fi
if have go; then
	mkdir -p mod; printf 'module example.org/quiet\n\ngo 1.21\n' >mod/go.mod
	printf 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n' >mod/main.go
	(cd mod && GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local go build -o quiet . && ./quiet >/dev/null && GOPROXY=off GOTOOLCHAIN=local go run . >/dev/null && GOPROXY=off GOTOOLCHAIN=local go vet . )
fi
if have git; then
	git init -q repo; cd repo; git config user.email a@example.org; git config user.name a
	printf '#!/bin/sh\nexit 0\n' >.git/hooks/pre-commit; chmod +x .git/hooks/pre-commit
	for i in 1 2 3 4 5; do echo "$i" >>f; git add f; git commit -q -m "$i"; done
	git log >/dev/null; git diff HEAD~1 >/dev/null; git gc -q; git clone -q . ../clone; cd ..
fi
have ssh-keygen && ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519" && ssh-keygen -lf "$HOME/.ssh/id_ed25519.pub" >/dev/null
have ssh && ssh -o BatchMode=yes -o ConnectTimeout=1 -o StrictHostKeyChecking=no -p 1 127.0.0.1 true 2>/dev/null
have sudo && sudo -n true 2>/dev/null
have sudo && sudo -n -u nobody id >/dev/null 2>&1
have su && su nobody -s /bin/sh -c 'id >/dev/null' 2>/dev/null
have passwd && passwd -S root >/dev/null 2>&1
have getent && getent passwd root >/dev/null
have python3 && python3 -c 'import json; print(json.dumps({}))' >/dev/null 2>&1
have perl && perl -e 'print "x\n"' >/dev/null
have dpkg && dpkg -l >/dev/null && dpkg -S /bin/sh >/dev/null 2>&1
have apt-cache && apt-cache policy bash >/dev/null 2>&1
have apt-get && apt-get -s install bash >/dev/null 2>&1
if have dpkg-deb && have dpkg; then
	mkdir -p pkg/DEBIAN pkg/usr/share/quiet root; printf 'Package: quiet\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: q\n' >pkg/DEBIAN/control
	echo x >pkg/usr/share/quiet/x; dpkg-deb -b pkg quiet.deb >/dev/null 2>&1
	mkdir -p root/var/lib/dpkg/updates root/var/lib/dpkg/info; : >root/var/lib/dpkg/status
	dpkg --root="$PWD/root" --log="$PWD/dpkg.log" --force-all -i quiet.deb >/dev/null 2>&1
fi
have run-parts && mkdir -p parts && printf '#!/bin/sh\nfind /var/cache -maxdepth 1 >/dev/null\n' >parts/job && chmod +x parts/job && run-parts parts
have logrotate && printf '"%s/app.log" { rotate 1\n copytruncate\n}\n' "$PWD" >rotate.conf && echo x >app.log && logrotate -s "$PWD/state" -f rotate.conf 2>/dev/null
have bash && HISTFILE="$HOME/.bash_history" bash -c 'set -o history; history -s ls; history -a; history -w' 2>/dev/null
true
`

// quietCase is the mark of the ordinary work.
const quietCase = "quiet"

// TestQuiet does ten minutes' worth of ordinary work under the default rules: at most two alerts may come of it.
func TestQuiet(t *testing.T) {
	bench := newBench(t)
	name, text := rules.Default()
	sensor := bench.start(t, bench.file(name, text), bench.file("overrides.yaml", markingOutputs(t, text)))
	home := filepath.Join(bench.dir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	bench.file("home/work.sh", []byte(quietWork))
	cmd := bench.command(quietCase, plan{Rule: quietCase, Dir: home})
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	t.Logf("the work ended with %v; it said:\n%s", err, out)
	alerts := sensor.finish(t)[quietCase]
	for _, a := range alerts {
		t.Logf("alert: %s: %s", a.Rule, a.Output)
	}
	if len(alerts) > 2 {
		t.Errorf("%d alerts of ordinary work; at most 2 are acceptable", len(alerts))
	}
}
