// Package aws is what the destinations at Amazon Web Services, and at those that speak its protocols, have in common:
// credentials, signed requests, what an error code means, objects in buckets (Bucket) and records in streams (Stream). A sink
// embeds Config in its own, makes a Client for its service, and sends JSON, forms or bodies through it.
//
// Credentials are those of the configuration, or what AWS's own programs would find: environment, shared files and profiles
// (single sign-on and programs included), web identities of Kubernetes, containers, instances. A role that the configuration
// names is assumed with them. They are renewed before they expire, and at once when the service says that they have. Requests
// are signed with version 4 of AWS's scheme and made by a httpsink.Sender: no service client is linked.
//
// An answer is judged by its code, not by its status, for AWS answers 400 to much. What throttles or is broken passes. What
// only the operator can repair (keys, roles, policies, a bucket or queue that is not there, the region, disabled encryption
// keys) passes too: alerts wait for the repair and are not lost. Only what is the alert's own fault, like its size, is permanent.
//
// Falcosidekick ignores the keys, the region, the role and the external id of its configuration (reference: sidekick.md §2.3),
// and does without AWS until the next start when the identity cannot be checked at its start; here every request shows
// whether the identity is right.
package aws

import (
	"regexp"
	"strings"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is what all destinations at AWS have in common.
type Config struct {
	AccessKeyID     string // aws.accesskeyid: with SecretAccessKey, in place of what AWS's programs would find
	SecretAccessKey string // aws.secretaccesskey
	SessionToken    string // aws.sessiontoken: of temporary keys
	Profile         string // aws.profile: of the shared files
	Region          string // aws.region: in place of that of the environment, the profile or the instance
	RoleARN         string // aws.rolearn: to assume
	ExternalID      string // aws.externalid: to show when the role is assumed
	CheckIdentity   bool   // aws.checkidentity: without effect

	Endpoint string           // endpoint: URL of the service, in place of AWS's own for the region
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and four of ours: sessiontoken, profile, endpoint and timeout.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("aws.accesskeyid", &c.AccessKeyID, "", "id of the access key, in place of the credentials that AWS's own programs would find").Global(),
		setting.Text("aws.secretaccesskey", &c.SecretAccessKey, "", "the access key").Secret().Global(),
		setting.Text("aws.sessiontoken", &c.SessionToken, "", "session token of a temporary access key").Secret().Global(),
		setting.Text("aws.profile", &c.Profile, "", "profile of AWS's shared configuration").Global(),
		setting.Text("aws.region", &c.Region, "", "region, in place of that of the environment, the profile or the instance").Global(),
		setting.Text("aws.rolearn", &c.RoleARN, "", "role to assume").Global(),
		setting.Text("aws.externalid", &c.ExternalID, "", "external id to show when the role is assumed").Secret().Global(),
		setting.Bool("aws.checkidentity", &c.CheckIdentity, true, "without effect: every request shows whether the identity is right").Global(),
		setting.Text("endpoint", &c.Endpoint, "", "URL of the service, in place of AWS's own for the region: a VPC endpoint, or a server that speaks its protocol"),
	)
}

// regionName is the form of the names of regions.
var regionName = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-\d{1,2}$`)

// RegionIn returns the region that a host name or an ARN names; "" is none.
func RegionIn(text string) string {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '.' || r == ':' || r == '/' }) {
		if regionName.MatchString(part) {
			return part
		}
	}
	return ""
}

// suffix returns the domain that a region's services are in.
func suffix(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "amazonaws.com.cn"
	case strings.HasPrefix(region, "us-isob-"):
		return "sc2s.sgov.gov"
	case strings.HasPrefix(region, "us-isof-"):
		return "csp.hci.ic.gov"
	case strings.HasPrefix(region, "us-iso-"):
		return "c2s.ic.gov"
	case strings.HasPrefix(region, "eu-isoe-"):
		return "cloud.adc-e.uk"
	case strings.HasPrefix(region, "eusc-"):
		return "amazonaws.eu"
	}
	return "amazonaws.com"
}
