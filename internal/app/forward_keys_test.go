package app

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "reference", "sidekick-outputs.tsv"))
	if err != nil {
		t.Skip("the reference is not beside the project: ", err)
	}
	c := &forwardConfig{}
	known, _, _ := c.vocabulary()
	for _, k := range commonKeys {
		if !known[k] {
			t.Errorf("the key %s is not known", k)
		}
	}
	key := regexp.MustCompile(`^[a-z0-9]+(\.[a-z0-9]+)+$`)
	keys, variables := 0, 0
	for line := range strings.Lines(string(text)) {
		column := strings.Split(line, "\t")
		if column[0] == "n" {
			continue
		}
		if label := column[3]; label[0] != '-' && label[0] != '(' && !slices.ContainsFunc(all.Destinations(), func(d all.Destination) bool { return d.Label() == label }) {
			t.Errorf("no destination has %s's label %q", column[2], label)
		}
		mine := map[string]string{} // by variable
		for _, f := range strings.Fields(column[5]) {
			name, _, _ := strings.Cut(f, "=")
			if !key.MatchString(name) {
				continue // part of a default
			}
			keys++
			mine[strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = name
			if !known[name] {
				t.Errorf("%s lacks the key %s", column[2], name)
			}
		}
		for _, v := range append(strings.Fields(column[6]), strings.Fields(column[7])...) {
			name := mine[v]
			if name == "" {
				continue // a remark
			}
			variables++
			c.values = setting.Values{}
			if err := c.readEnv(known, "", environment(v+"=x")); err != nil || c.values[name] != "x" {
				t.Errorf("%s does not set %s: %v, %v", v, name, c.values, err)
			}
		}
	}
	if keys < 400 || variables < 400 {
		t.Errorf("only %d keys and %d variables were found in the reference", keys, variables)
	}
	t.Logf("%d keys of destinations, %d variables", keys, variables)
}
