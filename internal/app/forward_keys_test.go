package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/sink/all"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// commonKeys are Falcosidekick's keys that belong to no destination, or to several (reference: sidekick.md §1.3).
var commonKeys = []string{
	"listenaddress", "listenport", "debug", "customfields", "templatedfields", "customtags", "bracketreplacer", "outputfieldformat", "mutualtlsfilespath",
	"mutualtlsclient.certfile", "mutualtlsclient.keyfile", "mutualtlsclient.cacertfile", "tlsclient.cacertfile", "tlsserver.deploy", "tlsserver.certfile",
	"aws.accesskeyid", "aws.secretaccesskey", "aws.region", "aws.rolearn", "aws.externalid", "aws.checkidentity", "gcp.credentials", "gcp.workloadidentity",
	"yandex.accesskeyid", "yandex.secretaccesskey", "yandex.region", "tlsserver.keyfile", "tlsserver.mutualtls", "tlsserver.cacertfile", "tlsserver.notlsport", "tlsserver.notlspaths", "prometheus.extralabels",
}

// TestEveryKey holds that every key and every variable of the environment that Falcosidekick has is known, those too that it cannot set
// from the environment.
func TestEveryKey(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "sidekick", "keys.txt"))
	if err != nil {
		t.Fatal(err)
	}
	c := &forwardConfig{}
	known, _, _ := c.vocabulary()
	labels := map[string]bool{"-": true}
	for _, d := range all.Destinations() {
		labels[d.Label()] = true
	}
	knows := func(key string) {
		if !known[key] {
			t.Errorf("the key %s is not known", key)
		}
		variable := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
		c.values = setting.Values{}
		if err := c.readEnv(known, "", environment(variable+"=x")); err != nil || c.values[key] != "x" {
			t.Errorf("%s does not set %s: %v, %v", variable, key, c.values, err)
		}
	}
	for _, k := range commonKeys {
		knows(k)
	}
	keys := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch key, indented := strings.CutPrefix(line, "  "); {
		case line == "" || line[0] == '#':
		case indented:
			keys++
			knows(key)
		case !labels[line]:
			t.Errorf("no destination has the label %s", line)
		}
	}
	if keys != 486 {
		t.Errorf("%d keys are listed, want 486", keys)
	}
}
