namespace Couic.Http;

/// <summary>
/// What requests of one turn of the event loop leave to be done together. It is run on the event loop's thread before any answer
/// goes out that waits for it, and leaves those answers (<see cref="Exchange.AnswerDeferred"/>).
/// </summary>
internal interface IGroupWork
{
    void Run();
}
