//! What callers can want to do, each with the rule that decides about it.

macro_rules! actions {
    ($($variant:ident = $rule:literal,)*) => {
        /// What a caller wants to do. Each has the name of its rule in a policy file.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(
            missing_docs,
            reason = "each variant is the rule whose name `Action::rule` gives"
        )]
        pub enum Action {
            $($variant,)*
        }

        impl Action {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Name of the rule.
            #[must_use]
            pub const fn rule(self) -> &'static str {
                match self {
                    $(Self::$variant => $rule,)*
                }
            }
        }
    };
}

actions! {
    SecretsPost = "secrets:post",
    SecretsGet = "secrets:get",
    SecretGet = "secret:get",
    SecretDecrypt = "secret:decrypt",
    SecretPut = "secret:put",
    SecretDelete = "secret:delete",
    SecretMetaGet = "secret_meta:get",
    SecretMetaPost = "secret_meta:post",
    SecretMetaPut = "secret_meta:put",
    SecretMetaDelete = "secret_meta:delete",
    SecretAclsGet = "secret_acls:get",
    SecretAclsPutPatch = "secret_acls:put_patch",
    SecretAclsDelete = "secret_acls:delete",
    SecretConsumersGet = "secret_consumers:get",
    SecretConsumersPost = "secret_consumers:post",
    SecretConsumersDelete = "secret_consumers:delete",
    ContainersPost = "containers:post",
    ContainersGet = "containers:get",
    ContainerGet = "container:get",
    ContainerDelete = "container:delete",
    ContainerSecretPost = "container_secret:post",
    ContainerSecretDelete = "container_secret:delete",
    ContainerAclsGet = "container_acls:get",
    ContainerAclsPutPatch = "container_acls:put_patch",
    ContainerAclsDelete = "container_acls:delete",
    ContainerConsumersGet = "container_consumers:get",
    ContainerConsumersPost = "container_consumers:post",
    ContainerConsumersDelete = "container_consumers:delete",
    ConsumerGet = "consumer:get",
    OrdersPost = "orders:post",
    OrdersGet = "orders:get",
    OrdersPut = "orders:put",
    OrderGet = "order:get",
    OrderDelete = "order:delete",
    QuotasGet = "quotas:get",
    ProjectQuotasGet = "project_quotas:get",
    ProjectQuotasPut = "project_quotas:put",
    ProjectQuotasDelete = "project_quotas:delete",
    SecretStoresGet = "secretstores:get",
    SecretStoresGetGlobalDefault = "secretstores:get_global_default",
    SecretStoresGetPreferred = "secretstores:get_preferred",
    SecretStoreGet = "secretstore:get",
    SecretStorePreferredPost = "secretstore_preferred:post",
    SecretStorePreferredDelete = "secretstore_preferred:delete",
    TransportKeysGet = "transport_keys:get",
    TransportKeyGet = "transport_key:get",
    TransportKeysPost = "transport_keys:post",
    TransportKeyDelete = "transport_key:delete",
}
