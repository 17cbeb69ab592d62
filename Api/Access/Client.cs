using System.Text;
using Couic.Http;

namespace Couic.Api.Access;

/// <summary>Someone who may use the API. Immutable.</summary>
public sealed class Client : IPrincipal
{
    public Client(string name, Group group, Guid token, Rails? rails = null)
    {
        Name = name;
        Utf8Name = Encoding.UTF8.GetBytes(name);
        Group = group;
        Token = token;
        Rails = rails;
    }

    public string Name { get; }

    /// <summary>The same name, ready for bodies, audit lines and entries; not to be changed.</summary>
    public byte[] Utf8Name { get; }

    public Group Group { get; }

    /// <summary>The secret. Never to be logged.</summary>
    public Guid Token { get; }

    /// <summary>What limits its changes; null for nothing.</summary>
    public Rails? Rails { get; }

    /// <summary>Name and group, without the token.</summary>
    public override string ToString() => $"{Name} ({Group.Name()})";
}
