namespace Couic.Http.Parsing;

/// <summary>The methods that some route knows; all others are <see cref="Other"/>.</summary>
public enum Verb : byte
{
    Other,
    Get,
    Head,
    Post,
    Put,
    Delete,
}
