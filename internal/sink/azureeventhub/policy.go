package azureeventhub

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// policy is a shared access policy, as a connection string has it.
type policy struct {
	endpoint  string // URL of the namespace
	name, key string
	signature string // made by somebody else, in place of name and key
}

// parsePolicy reads a connection string: "Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=…". The error does not show it.
func parsePolicy(text string) (*policy, error) {
	p := &policy{}
	scheme := "https://"
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch strings.ToLower(name) {
		case "endpoint":
			_, p.endpoint, _ = strings.Cut(strings.TrimRight(value, "/"), "://")
		case "sharedaccesskeyname":
			p.name = value
		case "sharedaccesskey":
			p.key = value
		case "sharedaccesssignature":
			p.signature = value
		case "usedevelopmentemulator":
			if strings.EqualFold(value, "true") {
				scheme = "http://"
			}
		}
	}
	if p.endpoint == "" || p.signature == "" && (p.name == "" || p.key == "") {
		return nil, errors.New("azureeventhub: the connection string must be like Endpoint=sb://…;SharedAccessKeyName=…;SharedAccessKey=… (it is not shown, it holds a secret)")
	}
	p.endpoint = scheme + p.endpoint
	return p, nil
}

// life is how long a signature is good.
const life = 20 * time.Minute

// header returns a function that signs requests for a resource (Azure, "Generate a shared access signature token"). The key is
// used as it stands, though it looks like base64.
func (p *policy) header(resource string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) {
		if p.signature != "" {
			return p.signature, nil
		}
		uri, ends := url.QueryEscape(resource), strconv.FormatInt(time.Now().Add(life).Unix(), 10)
		h := hmac.New(sha256.New, []byte(p.key))
		h.Write([]byte(uri + "\n" + ends))
		sum := base64.StdEncoding.EncodeToString(h.Sum(nil))
		return "SharedAccessSignature sr=" + uri + "&sig=" + url.QueryEscape(sum) + "&se=" + ends + "&skn=" + url.QueryEscape(p.name), nil
	}
}
