//! A saga: several bookings, and if one fails those before it are undone, the newest first.

use trunkline::prelude::*;

/// What can be booked. Every booking has its undoing.
#[service]
pub trait Travel {
    /// Books a flight, and returns the booking's number.
    async fn book_flight(&self, t: &TaskCx, to: String) -> Result<String>;
    /// Books a room.
    async fn book_hotel(&self, t: &TaskCx, to: String) -> Result<String>;
    /// Books a car.
    async fn book_car(&self, t: &TaskCx, to: String) -> Result<String>;
    /// Undoes a booking. Called again after a crash, so it must not mind that the booking is gone.
    async fn undo(&self, t: &TaskCx, booking: String) -> Result<()>;
}

/// Books a trip, all of it or nothing.
#[workflow]
pub async fn trip(cx: Cx, to: String) -> Result<Vec<String>> {
    let travel = cx.service::<TravelStub>();
    cx.saga(async |saga: &Saga| {
        let flight = travel.book_flight(to.clone()).await?;
        saga.undo(travel.undo(flight.clone()));
        let hotel = travel.book_hotel(to.clone()).await?;
        saga.undo(travel.undo(hotel.clone()));
        let car = travel.book_car(to.clone()).retry(Retry::never()).await?;
        Ok(vec![flight, hotel, car])
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use trunkline::testing::TestKit;

    #[derive(Clone, Default)]
    struct Agency {
        log: Arc<Mutex<Vec<String>>>,
        no_cars: bool,
    }

    impl Agency {
        fn note(&self, what: &str) -> String {
            self.log.lock().unwrap().push(what.to_owned());
            what.to_owned()
        }
    }

    impl Travel for Agency {
        async fn book_flight(&self, _: &TaskCx, to: String) -> Result<String> {
            Ok(self.note(&format!("flight to {to}")))
        }

        async fn book_hotel(&self, _: &TaskCx, to: String) -> Result<String> {
            Ok(self.note(&format!("hotel in {to}")))
        }

        async fn book_car(&self, t: &TaskCx, to: String) -> Result<String> {
            if self.no_cars {
                return Err(t.fatal(Error::new("NoCars", "all cars are taken")));
            }
            Ok(self.note(&format!("car in {to}")))
        }

        async fn undo(&self, t: &TaskCx, booking: String) -> Result<()> {
            if t.attempt() == 1 {
                // Undoing is tried until it is done.
                return Err(Error::new("Busy", "come back later"));
            }
            self.note(&format!("undo {booking}"));
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_trip_is_booked_as_a_whole() {
        let agency = Agency::default();
        let bed = TestKit::new()
            .workflow::<trip>()
            .service(agency.clone().into_service());
        let bed = bed.start().await;
        let booked = bed
            .workflow::<trip>("1")
            .execute("Rome".into())
            .await
            .unwrap();
        assert_eq!(booked, ["flight to Rome", "hotel in Rome", "car in Rome"]);
    }

    #[tokio::test]
    async fn what_was_booked_is_undone_in_reverse() {
        let agency = Agency {
            no_cars: true,
            ..Agency::default()
        };
        let kit = TestKit::new()
            .workflow::<trip>()
            .service(agency.clone().into_service());
        let bed = kit.evict_after_every_turn().start().await;
        let failed = bed
            .workflow::<trip>("1")
            .execute("Rome".into())
            .await
            .unwrap_err();
        assert_eq!(failed.failure().unwrap().name.as_str(), "NoCars");
        let log = agency.log.lock().unwrap().clone();
        assert_eq!(
            log,
            [
                "flight to Rome",
                "hotel in Rome",
                "undo hotel in Rome",
                "undo flight to Rome"
            ]
        );
    }
}
