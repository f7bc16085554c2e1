/** Who asks for a secret: a secret may be limited to certain tools and agents. */
export interface SecretUse {
	/** Address of the tool the value goes to. */
	tool?: string;
	/** Name of the agent on whose behalf it is used. */
	agent?: string;
}

/** Where the values behind `${secrets.NAME}` come from. */
export interface SecretSource {
	/**
	 * @throws ToolError `config_error` when there is no secret of that name, `auth` when this use is not allowed.
	 */
	resolve(name: string, use: SecretUse): Promise<string>;
}
