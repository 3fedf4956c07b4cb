package sinktest

import "github.com/saker-sec/saker/internal/sink/setting"

// AWSRetried are the statuses that are for the operator to mend at AWS, when no code says more.
func AWSRetried() []int { return []int{302, 401, 403, 404} }

// AWSSettings returns the keys, the region and the endpoint that signed requests must be of, beside others.
func AWSSettings(prefix, url string, more setting.Values) setting.Values {
	values := setting.Values{
		"aws.accesskeyid": AccessKey, "aws.secretaccesskey": SecretKey, "aws.sessiontoken": SessionToken, "aws.region": Region, prefix + ".endpoint": url,
	}
	for k, v := range more {
		values[k] = v
	}
	return values
}

// AWSSecrets are what no error may show.
func AWSSecrets() []string { return []string{SecretKey, SessionToken} }
