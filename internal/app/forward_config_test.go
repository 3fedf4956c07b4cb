package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMapsOfBoth has a map in the file and in the environment: the latter goes before the former, name by name.
func TestMapsOfBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("customfields: {Cluster: one, zone: a}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string]string{
		"":                                    "map[Cluster:one zone:a]",
		"CUSTOMFIELDS=cluster:two, team:x:y":  "map[cluster:two team:x:y zone:a]",
		"CUSTOMFIELDS=zone:b,Cluster:%REGION": "map[Cluster:eu zone:b]",
		"CUSTOMFIELDS=zone:%NOWHERE":          "map[Cluster:one] customfields: zone is left out, for the environment has no NOWHERE",
	} {
		conf, warnings, err := loadForward(path, environment(env, "REGION=eu"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(fmt.Sprint(conf.transform.CustomFields, " ", strings.Join(warnings, "\n"))); got != want {
			t.Errorf("%s: %s, want %s", env, got, want)
		}
	}
}
