namespace Couic.Api.Access;

/// <summary>The result of an authentication. All failures have the same answer, and distinct causes in the log.</summary>
public enum AuthOutcome
{
    Ok,

    /// <summary>Not a hyphenated UUID.</summary>
    Malformed,

    /// <summary>No client has that token.</summary>
    Unknown,

    /// <summary>The client is known but its group lacks the permission.</summary>
    Forbidden,

    /// <summary>The client is known but connects from an address that its rails exclude.</summary>
    Elsewhere,
}

/// <summary>How creating or deleting a client ended.</summary>
public enum ClientOutcome
{
    Ok,

    /// <summary>Creating: the name is in use, or a file of that name is there.</summary>
    Exists,

    /// <summary>Deleting: no such client.</summary>
    Absent,

    /// <summary>Deleting: <c>couicctl</c>, which must always be there.</summary>
    Protected,

    /// <summary>The client's file could not be written or removed; nothing has changed.</summary>
    Failed,
}
