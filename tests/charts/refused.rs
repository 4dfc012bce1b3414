//! What a wrong value is told, before anything is changed. What right values make never stands here.

use crate::helm::{CLINIC, CLINICS, CRDS, helm, template, values};

#[test]
fn helm_has_nothing_to_say_about_the_charts() {
    for clinic in CLINICS {
        helm(["lint", "--strict", CLINIC, "--values", &values(clinic)]).ok();
    }
    helm(["lint", "--strict", CRDS]).ok();
}

#[test]
fn the_chart_of_the_definitions_takes_no_value() {
    let refused =
        helm(["template", "clinic-operator-crds", CRDS, "--set", "portalUrl=https://portal.maple.example"]).refused();
    assert!(refused.contains("additional properties 'portalUrl' not allowed"), "{refused}");
}

#[test]
fn what_is_missing_is_asked_for_with_a_sentence() {
    let all = [
        (
            "portalUrl=https://portal.maple.example",
            "portalUrl is required: the base URL of the portal and of the links in mails",
        ),
        ("mail.host=smtp.maple.example", "mail.host is required: the relay that takes the clinic's mail"),
        ("mail.from=no-reply@maple.example", "mail.from is required: the sender of every mail"),
        (
            "clinic.spec.displayName=Maple",
            "clinic.spec.displayName is required, such as Maple Family Clinic; or clinic.create=false",
        ),
        (
            "clinic.spec.timeZone=UTC",
            "clinic.spec.timeZone is required, such as America/Toronto; or clinic.create=false",
        ),
        (
            "portal.keysSecret=portal-keys",
            "kubectl create secret generic portal-keys -n maple --from-literal=current=\"$(openssl rand -base64 32)\"",
        ),
    ];
    let template =
        |values: &[&str]| helm(["template", "maple", CLINIC, "--namespace", "maple", "--set", &values.join(",")]);
    template(&all.map(|(value, _)| value)).ok();
    for (left_out, sentence) in all {
        let others: Vec<_> = all.into_iter().map(|(value, _)| value).filter(|value| *value != left_out).collect();
        let refused = template(&others).refused();
        assert!(refused.contains(sentence), "{left_out}: {refused}");
    }
}

#[test]
fn labels_that_tell_pods_apart_are_not_to_be_set() {
    let refused = template("maple", &["--set", "podLabels.app\\.kubernetes\\.io/component=x"]).refused();
    assert!(refused.contains("invalid propertyName 'app.kubernetes.io/component'"), "{refused}");
}

#[test]
fn what_leads_people_to_the_portal_needs_its_name() {
    let refused = template("maple", &["--set", "portalUrl=https://[::1]:8443,ingress.enabled=true"]).refused();
    assert!(refused.contains("has no DNS name, which an Ingress or HTTPRoute needs"), "{refused}");
}

#[test]
fn a_wrong_value_is_named_and_what_is_right() {
    let mut wrong = Vec::new();
    for (value, path, words) in [
        ("portalURL=x", "''", "additional properties 'portalURL' not allowed"),
        ("mail.hots=x", "'/mail'", "additional properties 'hots' not allowed"),
        ("portalUrl=http://portal.maple.example", "'/portalUrl'", "https_and_a_host_without_a_path"),
        ("portalUrl=https://portal.maple.example/", "'/portalUrl'", "https_and_a_host_without_a_path"),
        ("portalUrl=portal.maple.example", "'/portalUrl'", "or_http_for_localhost"),
        ("image.repository=clinic-operator:0.2.0", "'/image/repository'", "image_without_tag"),
        ("image.digest=0123", "'/image/digest'", "sha256_and_64_hexadecimal_digits"),
        ("image.pullPolicy=Sometimes", "'/image/pullPolicy'", "one of 'Always', 'IfNotPresent', 'Never'"),
        ("log.level=loud", "'/log/level'", "one of 'error', 'warn', 'info', 'debug', 'trace'"),
        ("mail.tls=STARTTLS", "'/mail/tls'", "one of 'StartTLS', 'TLS', 'None'"),
        ("mail.port=0", "'/mail/port'", "minimum: got 0, want 1"),
        ("mail.port=65536", "'/mail/port'", "maximum: got 65,536, want 65,535"),
        ("mail.port=smtp", "'/mail/port'", "got string, want integer"),
        ("mail.host=smtp.maple.example:587/x", "'/mail/host'", "name_or_IP_address"),
        ("mail.ehloName=10.1.2.3", "'/mail/ehloName'", "or_address_in_brackets"),
        ("mail.ehloName=mail_1", "'/mail/ehloName'", "host_name"),
        ("mail.from=Maple Clinic", "'/mail/from'", "name_and_address_in_angle_brackets_or_address"),
        ("mail.host=a b", "'/mail/host'", "name_or_IP_address"),
        ("mail.from=Maple <desk@érable.example>", "'/mail/from'", "name_and_address_in_angle_brackets_or_address"),
        ("mail.replyTo=desk@érable.example", "'/mail/replyTo'", "name_and_address_in_angle_brackets_or_address"),
        ("mail.replyTo=a@x.example; b@x.example", "'/mail/replyTo'", "name_and_address_in_angle_brackets_or_address"),
        ("mail.tls=None", "'/mail/credentialsSecret'", "empty_since_tls_None_would_send_it_in_the_clear"),
        ("mail.connections=0", "'/mail/connections'", "minimum: got 0, want 1"),
        ("mail.timeoutSeconds=81", "'/mail/timeoutSeconds'", "maximum: got 81, want 80"),
        ("mail.mailsPerMinute=0", "'/mail/mailsPerMinute'", "minimum: got 0, want 1"),
        ("mail.mailsPerMinute=100001", "'/mail/mailsPerMinute'", "maximum: got 100,001, want 100,000"),
        ("mail.credentialsSecret=user:pass", "'/mail/credentialsSecret'", "name_of_an_object"),
        ("mail.auth=XOAUTH2,mail.credentialsSecret=", "'/mail/credentialsSecret'", "minLength: got 0, want 1"),
        ("clinic.spec.timeZone=EST5", "'/clinic/spec/timeZone'", "time_zone_such_as_America_Toronto"),
        ("clinic.spec.locale=de", "'/clinic/spec/locale'", "one of 'en', 'fr'"),
        ("clinic.spec.twofactor=Required", "'/clinic/spec'", "additional properties 'twofactor' not allowed"),
        ("clinic.spec.invitationValidityDays=31", "'/clinic/spec/invitationValidityDays'", "maximum: got 31, want 30"),
        ("controller.replicas=two", "'/controller/replicas'", "got string, want integer"),
        ("portal.keysSecret=Portal Keys", "'/portal/keysSecret'", "name_of_an_object"),
        ("portal.sessionOutageSeconds=59", "'/portal/sessionOutageSeconds'", "minimum: got 59, want 60"),
        ("portal.drainSeconds=0", "'/portal/drainSeconds'", "minimum: got 0, want 1"),
        ("portal.branding.accent=blue", "'/portal/branding/accent'", "hash_and_6_hexadecimal_digits"),
        ("portal.trustedProxies={ingress}", "'/portal/trustedProxies/0'", "network_such_as_10_42_0_7_slash_32"),
        ("portal.trustedProxies={0.0.0.0/0}", "'/portal/trustedProxies/0'", "not_wider_than_slash_8"),
        ("portal.trustedProxies={10.42.0.0/16,128.0.0.0/1}", "'/portal/trustedProxies/1'", "not_wider_than_slash_8"),
        ("portal.trustedProxies={::/0}", "'/portal/trustedProxies/0'", "or_of_IPv6_not_wider_than_slash_7"),
        ("portal.service.type=Ingress", "'/portal/service/type'", "one of 'ClusterIP', 'NodePort', 'LoadBalancer'"),
        ("httpRoute.enabled=true", "'/httpRoute/parentRefs'", "minItems: got 0, want 1"),
        ("ingress.enabled=yes", "'/ingress/enabled'", "got string, want boolean"),
        ("networkPolicy.apiServerPorts=443", "'/networkPolicy/apiServerPorts'", "got number, want array"),
        (
            "people.viewers[0].kind=Team,people.viewers[0].name=x",
            "'/people/viewers/0/kind'",
            "one of 'User', 'Group', 'ServiceAccount'",
        ),
        ("people.viewers[0].kind=Group", "'/people/viewers/0'", "missing property 'name'"),
        ("monitoring.serviceMonitor.interval=often", "'/monitoring/serviceMonitor/interval'", "time_such_as_30s"),
        ("monitoring.prometheusRule.runbookUrl=runbooks", "'/monitoring/prometheusRule/runbookUrl'", "https"),
        ("runAsUser=0", "'/runAsUser'", "minimum: got 0, want 1"),
    ] {
        let refused = template("maple", &["--set", value]);
        let said = format!("at {path}");
        if refused.success || !refused.stderr.contains(&said) || !refused.stderr.contains(words) {
            wrong.push(format!("{value}: {}", if refused.success { "is taken" } else { &refused.stderr }));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
