package aws

import (
	"errors"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Yandex is what the destinations at Yandex Cloud have in common. Its services speak AWS's protocols; credentials are static
// keys of a service account.
type Yandex struct {
	AccessKeyID     string           // yandex.accesskeyid: id of the static key
	SecretAccessKey string           // yandex.secretaccesskey: the static key
	Region          string           // yandex.region: in signatures
	Endpoint        string           // endpoint: URL of the service
	HTTP            httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys. The endpoint is the one that is used when the configuration names none.
func (y *Yandex) Settings(endpoint string) setting.List {
	return append(y.HTTP.Settings(),
		setting.Text("yandex.accesskeyid", &y.AccessKeyID, "", "id of the static key of a service account").Global(),
		setting.Text("yandex.secretaccesskey", &y.SecretAccessKey, "", "the static key").Secret().Global(),
		setting.Text("yandex.region", &y.Region, "ru-central1", "region").Global(),
		setting.Text("endpoint", &y.Endpoint, endpoint, "URL of the service"),
	)
}

// Config returns what a client needs. It fails without keys: nothing of AWS's must be used in their place.
func (y *Yandex) Config() (Config, error) {
	if y.AccessKeyID == "" || y.SecretAccessKey == "" {
		return Config{}, errors.New("yandex.accesskeyid and yandex.secretaccesskey must have values")
	}
	return Config{AccessKeyID: y.AccessKeyID, SecretAccessKey: y.SecretAccessKey, Region: y.Region, Endpoint: y.Endpoint, HTTP: y.HTTP}, nil
}
